"""Curves of a given start are `expect` at every point, and say what the start was."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import aslinearoperator

import richlazy as rl
from richlazy import curves, low_rank, spectrum
from richlazy.laziness import Measures

W = np.random.default_rng(3).standard_normal((6, 9))
S = np.array([2.0, 1.0, 0.5])
POINTS = {
    "time": ("t", [0.0, 0.4, np.inf]),
    "scale": ("norm", [0.2, 3.0]),
    "strength": ("strength", [0.3, 7.0]),
    "alignment": ("alignment", [0.1, 0.8]),
}


@pytest.mark.parametrize("axis", POINTS)
@pytest.mark.parametrize("start", [W, scipy.sparse.csr_array(W), rl.Network(W), S, S.tolist()])
def test_every_point_is_expect(axis, start):
    own, values = POINTS[axis]
    spectral = np.ndim(start) == 1
    inputs = 9 if spectral else None
    setting = {"strength": 1.3, "norm": 1.2, "t": 2.0, "tasks": 7, "rng": 4}
    setting.pop(own, None)
    curve = curves.of(start, axis, values, inputs=inputs, **setting)
    assert curve.axis == axis
    np.testing.assert_array_equal(curve.x, values)
    for index, value in enumerate(values):
        one = rl.expect(start, inputs, **setting, **{own: value})
        for name in Measures._fields:
            for part, end in (("mean", ""), ("sd", "_sd"), ("standard_error", "_standard_error")):
                wanted = getattr(getattr(one, name), part)
                found = curve[name + end][index]
                assert found == pytest.approx(wanted, rel=1e-6, abs=1e-8)
        assert curve.provenance["method"][index] == one.method
    said = curve.provenance["parameters"]
    assert own not in said
    assert said["inputs"] == 9
    if spectral:
        assert said["singular_values"] == S.tolist()
        assert "3 singular values" in curve.title
    else:
        assert said["matrix"] == "6 x 9"
        assert "matrix 6 x 9" in curve.title
    assert "silent readout" in curve.provenance["assumptions"]
    again = curves.from_csv(curve.to_csv())
    assert again.provenance == curve.provenance
    panels = curve.plot().get_axes()
    np.testing.assert_array_equal(
        panels[0].get_lines()[0].get_data(), [curve.x, curve["kernel_alignment"]]
    )


def test_a_flat_start_is_the_flat_curve():
    flat = spectrum.flat(4, 0.7)
    for axis, wanted in (
        ("time", curves.time(4, 20, norm=0.7)),
        ("scale", curves.scale(4, 20)),
        ("strength", curves.strength(4, 20, norm=0.7)),
        ("alignment", curves.alignment(4, 20, norm=0.7)),
    ):
        found = curves.of(flat, axis, wanted.x[::20], inputs=20)
        for name in wanted.columns:
            np.testing.assert_allclose(found[name], wanted[name][::20], rtol=1e-9, atol=1e-14)
        assert found.provenance["formula"] == wanted.provenance["formula"]
        assert set(found.provenance["accuracy"]) == {"exact"}


def test_the_defaults_of_an_axis_follow_the_start():
    few = np.geomspace(0.01, 100, 13)
    given = {"inputs": 9, "method": "law"}
    np.testing.assert_allclose(curves.of(S, "time", strength=4.0, **given).x, few / 4.0)
    np.testing.assert_allclose(curves.of(S, "scale", strength=4.0, **given).x, 2 * few**0.5)
    np.testing.assert_allclose(curves.of(S, "strength", **given).x, few * (S @ S))
    np.testing.assert_allclose(curves.of(S, "strength", norm=3.0, **given).x, few * 9)
    x = curves.of(S, "alignment", inputs=9, tasks=2).x
    assert (x[0], x[-1], x.size) == (1e-3, 1.0, 13)
    np.testing.assert_array_equal(curves.of(S, "alignment", inputs=3, tasks=2).x, [1.0])
    assert "standard_error" in str(list(curves.of(S, "time", **given).columns))


def test_points_share_their_random_numbers():
    """So that a curve is smooth where its means are known to a per cent."""
    for rng in (5, np.random.default_rng(5)):
        curve = curves.of(W, "scale", [1.0, 1.0], tasks=3, rng=rng)
        assert curve["loss"][0] == curve["loss"][1]
        a, b = curve["kernel_alignment"]
        assert a == b
    assert curve.provenance["parameters"]["rng"] == "a Generator"


def test_the_mean_over_alignments_of_a_flat_start_is_the_mean_over_tasks():
    """T6 averaged over c from Beta(r/2, (d - r)/2) is T7."""
    r, d = 4, 12
    c = np.random.default_rng(0).beta(r / 2, (d - r) / 2, 400)
    curve = curves.of(spectrum.flat(r), "alignment", c, inputs=d)
    wanted = low_rank.expected(r, d)
    error = np.std(curve["kernel_alignment"]) / 20
    assert abs(np.mean(curve["kernel_alignment"]) - wanted.mean.kernel_alignment) < 4 * error


def test_a_matrix_too_large_for_its_singular_values_needs_products_alone():
    size = (4200, 4300)
    w = scipy.sparse.random_array(size, density=1e-3, rng=np.random.default_rng(0)).tocsr()
    wanted = rl.expect(w, tasks=2, strength=2.0)
    for start in (w, aslinearoperator(w)):
        curve = curves.of(start, "strength", [2.0], tasks=2)
        assert curve["loss"][0] == pytest.approx(wanted.loss.mean, abs=1e-12)
        assert curve["weight_change"][0] == pytest.approx(wanted.weight_change.mean, rel=1e-2)
        assert curve.provenance["parameters"]["matrix"] == "4200 x 4300"
    with pytest.raises(ValueError, match="values are needed along strength: a LinearOperator"):
        curves.of(aslinearoperator(w), "strength", tasks=2)


@pytest.mark.parametrize(
    ("arguments", "given", "error", "words"),
    [
        ((S, "rank"), {"inputs": 9}, ValueError, "axis must be one of time, scale, strength, al"),
        ((S, "time"), {"inputs": 9, "t": 1.0}, TypeError, "t is the axis of this curve"),
        ((S, "time"), {"inputs": 9, "speed": 1.0}, TypeError, "speed is no setting; they are out"),
        ((S, "time"), {}, ValueError, "inputs is needed with singular values"),
        ((W, "time"), {"inputs": 8}, ValueError, "inputs is 8, but the matrix has 9 columns"),
        ((0 * W, "time"), {}, ValueError, "the matrix is zero"),
        ((S, "scale", [0.0]), {"inputs": 9}, ValueError, "must be"),
        ((S, "scale", [[1.0]]), {"inputs": 9}, ValueError, "norms must have 1 dimension"),
        ((S, "alignment"), {"inputs": 9, "outputs": 2}, ValueError, "alignment needs one output"),
        ((S, "alignment", [0.5]), {"inputs": 3}, ValueError, "alignment must be 1 where rank = in"),
    ],
)
def test_what_is_refused(arguments, given, error, words):
    with pytest.raises(error, match=words):
        curves.of(*arguments, **given)
