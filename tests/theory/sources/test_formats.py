"""What is no array of finite numbers is refused in one line; damaged files crash nothing."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from richlazy import files
from richlazy.errors import FileError
from tests.theory.sources.reading import dense, message, npy, npz, stored

W = np.array([[1.5, 0.0, -2.0], [0.0, 0.25, 3e-7]])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("w.csv", "", "w.csv: is empty"),
        ("w.npy", b"", "w.npy: is empty"),
        ("w.csv", "\n \n", "w.csv: is empty"),
        ("w.csv", "\ufeff", "w.csv: is empty"),
        (
            "w.doc",
            "1,2",
            "w.doc: unknown kind of file; its name must end in .npy, .npz, .csv, .tsv, .txt, .dat",
        ),
        ("w", "1,2", "w: unknown kind of file"),
        ("w.npy", "1,2\n3,4\n", "w.npy: is not a readable .npy file (the magic string"),
        ("w.npy", npy(W)[:-3], "w.npy: is cut short: 48 bytes of numbers must follow, 45 do"),
        ("w.npy", npz(w=W), "w.npy: is not a readable .npy file ("),
        ("w.npy", pickle.dumps([1.0, 2.0]), "w.npy: is not a readable .npy file ("),
        (
            "w.npy",
            npy(np.array([[1, 2.0], ["x", None]], dtype=object)),
            "w.npy: holds pickled objects, which are never loaded; save an array of numbers",
        ),
        ("w.npz", npz(w=np.array([{}], dtype=object)), "w.npz: holds pickled objects"),
        ("w.npz", npy(W), "w.npz: is not a readable .npz file (it is no zip archive)"),
        ("w.npz", npz(w=W)[:-9], "w.npz: is not a readable .npz file ("),
        (
            "w.npz",
            npz(a=W, b=W),
            "or have one named as FILE:NAME; it holds 2, named ['a', 'b']",
        ),
        (
            "w.npz",
            npz(),
            "w.npz: must hold one array, or have one named as FILE:NAME",
        ),
        (
            "w.npy",
            npy(W * 1j),
            "w.npy: the array must hold real numbers; its dtype is complex128",
        ),
        ("w.npy", npy(np.array(["a", "b"])), "w.npy: the array must hold real numbers"),
        ("w.npy", npy(np.zeros(2, dtype=[("a", float)])), "w.npy: the array must hold real"),
        (
            "w.npy",
            npy(np.ones((2, 2, 2))),
            "w.npy: the array must have 1 or 2 dimensions; its shape is (2, 2, 2)",
        ),
        ("w.npy", npy(np.array(3.0)), "must have 1 or 2 dimensions; its shape is ()"),
        ("w.npy", npy(np.zeros((0, 3))), "w.npy: the array must not be empty; its shape is (0, 3)"),
        (
            "w.npy",
            npy(np.array([[1, 2], [np.nan, np.inf]])),
            "w.npy: entry [1, 0] is nan; it must be finite",
        ),
        ("s.npy", npy(np.array([1, np.inf])), "s.npy: entry [1] is inf; it must be finite"),
        ("w.npy", npy(np.zeros((2, 2))), "w.npy: every entry is zero"),
    ],
)
def test_a_bad_file_is_one_line_with_its_place(put, name, content, expected):
    assert expected in message(put(name, content))


def sparse_npz(**changes):
    csr = scipy.sparse.csr_array(W)
    parts = {"format": b"csr", "shape": W.shape, "data": csr.data}
    return npz(**{**parts, "indices": csr.indices, "indptr": csr.indptr, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"format": b"dia"},
            "w.npz: must be sparse in CSR, CSC or COO; convert it: matrix.tocsr()",
        ),
        ({"indices": [0, 2, 1, 3]}, "w.npz: is damaged; its indices do not fit its data and shape"),
        ({"indices": [0, 2, -1, 2]}, "its indices do not fit"),
        ({"indices": [0.0, 2.0, 1.0, 2.0]}, "its indices do not fit"),
        ({"indices": [0, 2, 1]}, "its indices do not fit"),
        ({"indptr": [0, 2]}, "w.npz: is damaged; its indptr does not fit its data and shape"),
        ({"indptr": [0, 5, 4]}, "its indptr does not fit"),
        ({"indptr": [1, 2, 4]}, "its indptr does not fit"),
        ({"indptr": [0, 2, 3]}, "its indptr does not fit"),
        ({"shape": (2, 3, 1)}, "w.npz: the matrix must have 2 dimensions; its shape is (2, 3, 1)"),
        ({"shape": (2.0, 3.0)}, "w.npz: the matrix must have 2 dimensions"),
        ({"shape": (2, 2**31)}, "must have from 1 to 2147483647 rows and columns; its shape is"),
        (
            {"data": np.ones(4) * 1j},
            "w.npz: the array must hold real numbers; its dtype is complex",
        ),
        ({"data": np.array([1, np.nan, 1, 1])}, "w.npz: entry [0, 2] is nan; it must be finite"),
        ({"data": np.array([{}] * 4)}, "w.npz: holds pickled objects"),
        ({"data": np.zeros(4)}, "w.npz: every entry is zero"),
    ],
)
def test_a_damaged_sparse_archive_is_refused_before_it_is_used(put, changes, expected):
    np.testing.assert_array_equal(dense(files.read(put("ok.npz", sparse_npz())).values), W)
    assert expected in message(put("w.npz", sparse_npz(**changes)))


def test_an_empty_sparse_matrix_is_refused(put):
    empty = stored(scipy.sparse.save_npz, scipy.sparse.coo_array((0, 3)))
    assert "rows and columns; its shape is (0, 3)" in message(put("w.npz", empty))


def test_missing_files_and_folders(tmp_path):
    assert message(tmp_path / "w.csv") == "w.csv: no such file"
    (tmp_path / "f.csv").mkdir()
    assert message(tmp_path / "f.csv") == "f.csv: is a folder; name a file"
    (tmp_path / "plain").write_text("x")
    assert "cannot be read (Not a directory)" in message(tmp_path / "plain" / "w.csv")


def test_a_file_without_permission(put, monkeypatch):
    path = put("w.csv", "1\n")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    assert message(path) == "w.csv: cannot be read (Permission denied)"


def test_more_numbers_than_memory(put, monkeypatch):
    path = put("w.npy", npy(W))

    def refuse(*_, **__):
        raise MemoryError

    monkeypatch.setattr(np, "frombuffer", refuse)
    assert message(path) == "w.npy: needs more memory than there is"


VALID = [
    ("w.npy", npy(W)),
    ("w.npz", npz(w=W)),
    ("w.npz", sparse_npz()),
    ("w.csv", b"1,2\n3,4\n"),
    ("w.tsv", b"pre\tpost\tn\na\tb\t3\n"),
    ("w.mtx", stored(scipy.io.mmwrite, W)),
    ("w.mtx", stored(scipy.io.mmwrite, scipy.sparse.coo_array(W))),
]


@given(
    file=st.sampled_from(VALID),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=3)), max_size=4),
    end=st.one_of(st.none(), st.floats(0, 1)),
)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(tmp_path_factory, file, edits, end):
    name, content = file
    damaged = bytearray(content if end is None else content[: int(end * len(content))])
    for place, new in edits:
        at = int(place * len(damaged))
        damaged[at : at + len(new)] = new
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(damaged)
    try:
        values = dense(files.read(path).values)
    except FileError:
        return
    assert np.all(np.isfinite(values))
    assert np.any(values)
