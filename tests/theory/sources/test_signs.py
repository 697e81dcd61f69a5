"""Signs by neuron: whose, where they come from, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from richlazy import connectomes
from richlazy.sources import signs, source
from richlazy.sources.source import Source

WORM = source.find("celegans")
SMALL = Source("small", np.arange(9.0).reshape(3, 3), neurons=("a", "b", "c"))


def test_as_is():
    assert signs.given(SMALL, "as-is") is SMALL
    negative = Source("n", -np.eye(2))
    assert signs.given(negative, "as-is") is negative


def test_the_shipped_list():
    found = signs.given(WORM, "celegans_gaba")
    inhibit = [name in connectomes.inhibitory() for name in WORM.neurons]
    np.testing.assert_array_equal(found.values, WORM.values * np.where(inhibit, -1.0, 1.0))
    assert found.notes[-1] == "26 of 279 neurons inhibit, as celegans_gaba lists them"
    brain = signs.given(source.find("celegans_brain_1"), "celegans_gaba")
    assert "of 161 neurons inhibit, as celegans_gaba lists them; not here: " in brain.notes[-1]


@pytest.mark.parametrize("content", ["c\na\n", "neuron\r\nc\r\na\r\n", '"a"\n\n  c ', "\ufeffa\nc"])
def test_a_file(tmp_path, content):
    path = tmp_path / "inhibitory.txt"
    path.write_text(content, encoding="utf-8")
    found = signs.given(SMALL, str(path))
    np.testing.assert_array_equal(found.values, SMALL.values * [-1, 1, -1])
    assert f"2 of 3 neurons inhibit, as {path} lists them" in found.notes[-1]
    assert found.notes[-1].endswith("not here: neuron") == ("neuron" in content)


def test_a_file_goes_before_the_shipped_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("b")
    np.testing.assert_array_equal(signs.given(SMALL, "mine.csv").values[:, 1], [-1, -4, -7])


def test_random_signs():
    found = signs.given(WORM, "random")
    np.testing.assert_array_equal(np.abs(found.values), WORM.values)
    columns = np.sign(found.values.sum(axis=0))
    assert 100 < (columns < 0).sum() < 160
    assert "at random (seed 0)" in found.notes[-1]
    again, other = signs.given(WORM, "random"), signs.given(WORM, "random", seed=1)
    np.testing.assert_array_equal(again.values, found.values)
    assert not np.array_equal(other.values, found.values)


def test_sparse_weights_stay_sparse():
    sparse = Source("sparse", csr_array(SMALL.values), neurons=SMALL.neurons)
    found = signs.given(sparse, "random", seed=5)
    assert isinstance(found.values, csr_array)
    dense = signs.given(SMALL, "random", seed=5)
    np.testing.assert_array_equal(found.values.toarray(), dense.values)


@pytest.mark.parametrize(
    ("start", "text", "expected"),
    [
        (Source("s", np.ones(3)), "random", "for weights, and a spectrum has none"),
        (Source("n", -np.eye(2)), "random", "have signs already; use --signs as-is"),
        (Source("n", np.eye(2)), "celegans_gaba", "names of the neurons of n are not known"),
        (SMALL, "celegans_gaba", "none of its neurons is one of small"),
        (SMALL, "nowhere.txt", r"no such file \(as-is, random, celegans_gaba or a file\)"),
        (SMALL, "randon", r"no such file \(as-is, random"),
    ],
)
def test_what_is_refused(start, text, expected):
    with pytest.raises(ValueError, match=expected):
        signs.given(start, text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "is empty"), (b"\n \n", "lists no neuron"), (b"\xff\xfe", "no text")],
)
def test_files_that_list_nothing(tmp_path, content, expected):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=expected):
        signs.given(SMALL, str(path))
