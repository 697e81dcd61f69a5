"""What a start may be called: a family, a shipped connectome or a file, and every mistake."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from richlazy import connectomes, spectrum
from richlazy.errors import FileError
from richlazy.sources import source as sources

W = np.array([[1.5, 0.0, -2.0], [0.0, 0.25, 3.0]])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def message(text):
    """Return the one line of the error."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        sources.find(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---------------------------------------------------------------- families


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("flat:rank=5", spectrum.flat(5)),
        ("flat:rank=5,norm=3", spectrum.flat(5, 3.0)),
        ("flat:norm=3,rank=5.0,", spectrum.flat(5, 3.0)),
        ("power_law:count=10,exponent=1.5", spectrum.power_law(10, 1.5)),
        ("power_law:exponent=0,count=4,norm=2", spectrum.flat(4, 2.0)),
        ("exponential:count=6,rate=0.1,norm=0.5", spectrum.exponential(6, 0.1, 0.5)),
        ("gaussian:hidden=5,inputs=8", spectrum.gaussian(5, 8)),
        ("gaussian:hidden=8,inputs=5", spectrum.gaussian(5, 8)),
    ],
)
def test_a_family_is_its_spectrum(text, values):
    source = sources.find(text)
    np.testing.assert_array_equal(source.values, values)
    assert (source.name, source.notes, source.citation) == (text, (), None)
    assert (source.is_spectrum, source.family) == (True, True)
    assert source.norm == pytest.approx(np.linalg.norm(values), rel=1e-15)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flat", "flat needs rank; write flat:rank=...,norm=..."),
        ("flat:", "flat needs rank; write flat:rank=...,norm=..."),
        ("power_law:count=3", "power_law needs exponent; write power_law:count=...,exponent=...,"),
        ("exponential:", "exponential needs count and rate; write exponential:count=...,rate=...,"),
        ("gaussian:inputs=3", "gaussian needs hidden; write gaussian:hidden=...,inputs=...,norm=."),
        ("flat:rank", "cannot read 'rank'; write flat:rank=...,norm=... (norm is optional)"),
        ("flat:rank=2,rank=3", "cannot read 'rank=3'; write flat:rank=...,norm=..."),
        ("flat:count=2", "cannot read 'count=2'; write flat:rank=...,norm=..."),
        ("flat:rank=2;norm=1", "rank must be a number; it is '2;norm=1'"),
        ("flat:rank=", "rank must be a number; it is ''"),
        ("flat:rank=__import__('os')", "rank must be a number; it is \"__import__('os')\""),
        ("flat:rank=0", "rank must be at least 1; it is 0.0"),
        ("flat:rank=-3", "rank must be at least 1; it is -3.0"),
        ("flat:rank=2.5", "rank must be an integer; it is 2.5"),
        ("flat:rank=nan", "rank must be an integer; it is nan"),
        ("flat:rank=2,norm=0", "norm must be > 0; its smallest value is 0"),
        ("flat:rank=2,norm=-1", "norm must be > 0; its smallest value is -1"),
        ("flat:rank=2,norm=inf", "norm must be finite"),
        ("power_law:count=3,exponent=-1", "exponent must be >= 0; its smallest value is -1"),
        ("power_law:count=3,exponent=inf", "exponent must be finite"),
        ("power_law:count=0,exponent=1", "count must be at least 1; it is 0.0"),
        ("exponential:count=3,rate=-1", "rate must be >= 0; its smallest value is -1"),
        ("exponential:count=3,rate=nan", "rate must be finite"),
        ("gaussian:hidden=0,inputs=3", "hidden must be at least 1; it is 0.0"),
    ],
)
def test_a_family_said_wrongly(text, expected):
    assert message(text).startswith(expected)


def test_a_law_so_steep_that_it_underflows_keeps_what_float64_holds():
    source = sources.find("power_law:count=10,exponent=1000")
    np.testing.assert_array_equal(source.values, [1.0, 2.0**-1000, *[0.0] * 8])
    assert source.norm == 1.0


# ---------------------------------------------------------------- connectomes and files


@pytest.mark.parametrize("name", connectomes.names())
def test_a_shipped_connectome_by_its_name(name):
    source, shipped = sources.find(name), connectomes.load(name)
    np.testing.assert_array_equal(source.values, shipped.weights)
    assert (source.name, source.citation) == (name, shipped.source)
    assert (source.is_spectrum, source.family) == (False, False)
    assert source.norm == pytest.approx(np.linalg.norm(shipped.weights), rel=1e-15)


@pytest.mark.parametrize("name", ["w.npy", "größe κ 1.npy", "flat:rank=2.npy", "a:b.npy"])
def test_a_dense_file(folder, name):
    np.save(folder / name, W)
    path = str(folder / name)
    source = sources.find(path)
    np.testing.assert_array_equal(source.values, W)
    assert (source.name, source.is_spectrum, source.family) == (name[:-4], False, False)
    assert source.norm == pytest.approx(np.linalg.norm(W), rel=1e-15)


def test_a_sparse_file_stays_sparse(folder):
    scipy.sparse.save_npz(folder / "w.npz", scipy.sparse.csr_array(W))
    source = sources.find("w.npz")
    assert isinstance(source.values, scipy.sparse.csr_array)
    assert source.norm == pytest.approx(np.linalg.norm(W), rel=1e-15)


def test_an_edge_list_brings_its_notes(folder):
    (folder / "e.csv").write_text("pre,post,n\na,a,2\nb,a,1\nb,a,1\n")
    source = sources.find("e.csv")
    np.testing.assert_array_equal(source.values.toarray(), [[2, 2], [0, 0]])
    assert source.notes == (
        "self-edges kept on the diagonal: 1",
        "repeated edges, added up: 1",
    )


@pytest.mark.parametrize("text", ["3\n2\n0\n", "3,2,0\n", "a,b,c\n3,2,0\n"])
def test_one_row_or_column_is_a_spectrum(folder, text):
    (folder / "s.csv").write_text(text)
    source = sources.find("s.csv")
    np.testing.assert_array_equal(source.values, [3, 2, 0])
    assert source.is_spectrum
    assert not source.family


def test_a_file_goes_before_a_connectome_and_a_family_before_a_file(folder):
    (folder / "celegans").write_text("x")
    assert message("celegans") == (
        "celegans: unknown kind of file; its name must end in .npy, .npz, .csv, .tsv, .txt, .dat, "
        ".mtx, .mat, .graphml, .gexf, .parquet, .feather, .safetensors"
    )
    np.save(folder / "flat:rank=2.npy", W)
    assert message("flat:rank=2.npy") == "rank must be a number; it is '2.npy'"
    (folder / "flat").mkdir()
    assert message("flat") == "flat: is a folder; name a file"


@pytest.mark.parametrize("text", ["", "celegan", "nosuch:rank=2", "nosuch:rank=2.5", "a/b:c"])
def test_what_is_none_of_these_is_told_what_there_is(text):
    shipped = ", ".join(connectomes.names())
    assert message(text) == (
        f"{text!r} is no file, no shipped connectome ({shipped}) and no family (flat, power_law, "
        "exponential, gaussian, as in flat:rank=5)"
    )


@pytest.mark.parametrize("text", ["missing.csv", "none/missing.npy", "missing.txt"])
def test_a_missing_file_is_a_missing_file(text):
    assert message(text) == f"{text}: no such file"


def test_a_file_that_is_none_is_a_file_error(folder):
    (folder / "w.csv").write_text("1,2\n3\n")
    with pytest.raises(FileError, match=r"^w.csv, line 2: must have 2 cells like line 1; it has 1"):
        sources.find("w.csv")


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_weights_whose_powers_leave_float64_are_refused_before_they_overflow(folder, size):
    np.save(folder / "w.npy", size * np.eye(2))
    assert message("w.npy") == (
        f"w.npy has entries up to {size:g}, whose fourth powers leave the range of float64; "
        "rescale it"
    )


def test_a_spectrum_of_any_size_has_its_norm(folder):
    np.save(folder / "s.npy", np.array([3e200, 4e200])[::-1])
    source = sources.find("s.npy")
    assert source.norm == pytest.approx(5e200, rel=1e-15)
    np.testing.assert_allclose(sources.rescaled(source, 2.0).values, [1.6, 1.2], rtol=1e-15)


# ---------------------------------------------------------------- rescaling


@pytest.mark.parametrize("kind", ["w.npy", "w.npz", "s.npy", "flat:rank=3", "celegans"])
@pytest.mark.parametrize("norm", [1e-3, 1.0, 40.0])
def test_rescaled_has_the_norm_and_nothing_else_changed(folder, kind, norm):
    np.save(folder / "w.npy", W)
    np.save(folder / "s.npy", np.array([3.0, 1.0, 0.0]))
    scipy.sparse.save_npz(folder / "w.npz", scipy.sparse.csr_array(W))
    source = sources.find(kind)
    found = sources.rescaled(source, norm)
    assert found.norm == pytest.approx(norm, rel=1e-14)
    before, after = (
        v if isinstance(v, np.ndarray) else v.toarray() for v in (source.values, found.values)
    )
    np.testing.assert_allclose(after, before * (norm / source.norm), rtol=1e-14)
    assert type(found.values) is type(source.values)
    assert (found.name, found.citation, found.family, found.notes) == (
        source.name,
        source.citation,
        source.family,
        source.notes,
    )


def test_none_keeps_the_norm():
    source = sources.find("celegans")
    assert sources.rescaled(source, None) is source


@pytest.mark.parametrize("norm", [0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("text", ["celegans", "flat:rank=2"])
def test_a_norm_must_be_positive(text, norm):
    with pytest.raises(ValueError, match=r"^norm must be (> 0|finite)"):
        sources.rescaled(sources.find(text), norm)
