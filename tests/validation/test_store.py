"""What one study reads of the runs of another."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.errors import FileError
from validation.store import Store, finished
from validation.study import Study

CASES = [{"sizes": (1, 2), "seed": 0}, {"sizes": (3,), "seed": 0}]


@pytest.fixture
def folder(tmp_path):
    study = Study("one", "Which?", lambda *_: CASES, lambda case: {}, lambda *_: None)
    store = Store(tmp_path / "one", study, CASES, quick=True, seed=0)
    store.check()
    store.begin()
    store.put(1, {"found": np.array([1.5, 2.5])})
    store.release()
    return tmp_path / "one"


def test_a_case_that_has_ended_is_read_as_it_was(folder):
    np.testing.assert_array_equal(finished(folder, CASES[1])["found"], [1.5, 2.5])


def test_a_case_that_has_not_or_is_another_is_none(folder, tmp_path):
    assert finished(folder, CASES[0]) is None
    assert finished(folder, CASES[1] | {"seed": 1}) is None
    assert finished(tmp_path / "nowhere", CASES[1]) is None
    (folder / "plan.json").write_text("[]")
    assert finished(folder, CASES[1]) is None


def test_a_case_that_was_changed_is_refused(folder):
    path = folder / "cases" / "00001.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **arrays | {"found": np.array([1.5, 2.6])})
    with pytest.raises(FileError, match=r"00001\.npz: cannot be used .*remove it to run it again"):
        finished(folder, CASES[1])
    path.write_bytes(b"PK")
    with pytest.raises(FileError, match="cannot be used"):
        finished(folder, CASES[1])
