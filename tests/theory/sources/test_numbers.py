"""The precision that numbers were stored in, by their type or by their digits."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from richlazy import files
from tests.theory.sources.reading import npy, stored

W = np.array([[0.5, 0.25, 1.5], [2.0, 0.75, 0.125]])


@pytest.mark.parametrize(
    ("dtype", "unit"),
    [
        (np.float16, 2.0**-11),
        (np.float32, 2.0**-24),
        (np.float64, 2.0**-53),
        (np.longdouble, 2.0**-53),
        (np.int64, 2.0**-53),
        (np.uint8, 2.0**-53),
        (bool, 2.0**-53),
    ],
)
def test_a_type_has_its_unit_roundoff(put, dtype, unit):
    array = (8 * W).astype(dtype)
    assert files.read(put("w.npy", npy(array)), format="matrix").stored == unit
    if dtype is not np.float16:  # scipy.sparse has none
        sparse = stored(scipy.sparse.save_npz, scipy.sparse.csr_array(array))
        assert files.read(put("w.npz", sparse)).stored == unit


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_unit_bounds_the_rounding_and_is_no_larger_than_it_must_be(put, dtype):
    exact = np.random.default_rng(0).uniform(1, 2, (50, 40))
    found = files.read(put("w.npy", npy(exact.astype(dtype))))
    error = np.abs(found.values - exact).max() / np.abs(exact).max()
    assert 0.4 * found.stored < error <= found.stored


@pytest.mark.parametrize("digits", [1, 2, 3, 6])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 500.0])
@pytest.mark.parametrize("style", ["f", "e"])
def test_digits_bound_the_rounding(put, digits, scale, style):
    exact = scale * np.random.default_rng(digits).uniform(-1, 1, (20, 30))
    if style == "f":
        exact /= scale
    text = "\n".join(",".join(f"{x:.{digits}{style}}" for x in row) for row in exact)
    found = files.read(put("w.csv", text))
    error = np.abs(found.values - exact).max() / np.abs(found.values).max()
    # All of it for decimals that are fixed; a decade less if every number has its own exponent.
    assert error <= found.stored * (1.001 if style == "f" else 10.01)
    assert found.stored <= 20 * error


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0.123,0.456\n0.1,0.999\n", 5e-4 / 0.999),
        ("0.12,1.0\n0.34,0.5\n", 5e-3),
        ("12,3\n4,50\n", 2.0**-53),
        ("1e3,2e3\n5e3,1e3\n", 0.1),
        ("1.50,200\n3,7\n", 5e-3 / 200),
        ("0.1,3e-9\n0.2,5e-7\n", 0.05 / 0.2),
        ("0.333333333333333314829616256247,0.5\n0.1,0.2\n", 2.0**-53),
    ],
)
def test_the_last_digit_near_the_largest_entry_counts(put, text, unit):
    path = put("w.csv", text)
    assert files.read(path, header=False, format="matrix").stored == pytest.approx(unit, rel=1e-12)


def test_every_text_format_and_a_spectrum_have_it(put):
    assert files.read(put("s.csv", "0.50\n0.25\n")).stored == pytest.approx(0.01)
    edges = "pre,post,w\na,b,0.5\nb,c,0.25\n"
    assert files.read(put("e.csv", edges)).stored == pytest.approx(0.01)
    matrix = stored(scipy.io.mmwrite, W, precision=4)
    assert files.read(put("w.mtx", matrix)).stored <= 0.05
    assert "rounded to" in files.read(put("s.csv", "0.50\n0.25\n")).description


@pytest.mark.parametrize("odd", ["01", "-1", "1.0", "", "\u0663", " 1", "x"])
def test_ids_are_whole_only_if_every_one_is(odd):
    from richlazy.sources.tables.numbers import all_whole

    assert all_whole(["0", "12", "720575940600000000", "12"])
    assert not all_whole(["0", "12", odd, "12"])
