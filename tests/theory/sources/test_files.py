"""A user's file is read as what it is; results are written in full or not at all."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from richlazy import files, writing
from richlazy.errors import FileError
from tests.theory.sources.reading import dense, message, npy, npz, stored

NUMBERS = st.floats(-1e300, 1e300, allow_subnormal=True)
TABLE = arrays(
    np.float64, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=5), elements=NUMBERS
)
W = np.array([[1.5, 0.0, -2.0], [0.0, 0.25, 3e-7]])


@pytest.mark.parametrize(
    ("name", "content", "is_sparse"),
    [
        ("w.npy", npy(W), False),
        ("w.NPY", npy(W), False),
        ("w.npy", npy(np.asfortranarray(W)), False),
        ("w.npy", npy(W.astype(">f8")), False),
        ("w.npz", npz(anything=W), False),
        ("w.csv", "1.5,0,-2\n0,0.25,3e-7\n", False),
        ("w.csv", "\ufeff 1.5, 0,-2\r\n0,.25,3e-7\r\n\r\n", False),
        ("w.csv", '"1.5","0","-2"\n0,+0.25,3E-7', False),
        ("w.tsv", "1.5\t0\t-2\n0\t0.25\t3e-7\n", False),
        ("w.mtx", stored(scipy.io.mmwrite, W), False),
        ("w.mtx", stored(scipy.io.mmwrite, scipy.sparse.coo_array(W), comment="two\nlines"), True),
        ("w.npz", stored(scipy.sparse.save_npz, scipy.sparse.csr_array(W)), True),
        (
            "w.npz",
            stored(scipy.sparse.save_npz, scipy.sparse.csc_matrix(W), compressed=False),
            True,
        ),
        ("w.npz", stored(scipy.sparse.save_npz, scipy.sparse.coo_array(W)), True),
    ],
)
def test_a_table_is_a_weight_matrix_in_every_format(put, name, content, is_sparse):
    result = files.read(put(name, content))
    assert (result.kind, result.name, result.neurons, result.notes) == ("weights", "w", None, ())
    assert isinstance(result.values, scipy.sparse.csr_array) == is_sparse
    assert result.values.dtype == np.float64
    np.testing.assert_array_equal(dense(result.values), W)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float32])
@pytest.mark.parametrize("form", ["npy", "npz", "sparse"])
def test_real_numbers_of_any_width_become_float64(put, dtype, form):
    array = np.eye(3).astype(dtype)
    if form == "npy":
        path = put("w.npy", npy(array))
    elif form == "npz":
        path = put("w.npz", npz(w=array))
    else:
        three = np.arange(3)
        parts = {"format": b"coo", "shape": (3, 3), "row": three, "col": three}
        path = put("w.npz", npz(data=np.ones(3, dtype=dtype), **parts))
    values = files.read(path).values
    assert values.dtype == np.float64
    np.testing.assert_array_equal(dense(values), np.eye(3))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.csv", "3\n2\n2\n0\n"),
        ("s.csv", "3,2,2,0"),
        ("s.tsv", "3\t2\t2\t0\n"),
        ("s.npy", npy(np.array([3, 2, 2, 0]))),
        ("s.npy", npy(np.array([[3], [2], [2], [0]]))),
        ("s.npz", npz(s=np.array([[3, 2, 2, 0]]))),
        ("s.mtx", stored(scipy.io.mmwrite, np.array([[3.0], [2], [2], [0]]))),
        ("s.mtx", stored(scipy.io.mmwrite, scipy.sparse.coo_array([[3.0, 2, 2, 0]]))),
        ("s.npz", stored(scipy.sparse.save_npz, scipy.sparse.csr_array([[3.0, 2, 2, 0]]))),
    ],
)
def test_one_row_or_one_column_is_a_spectrum(put, name, content):
    result = files.read(put(name, content))
    assert (result.kind, result.name, result.neurons) == ("spectrum", "s", None)
    assert isinstance(result.values, np.ndarray)
    np.testing.assert_array_equal(result.values, [3.0, 2.0, 2.0, 0.0])


def test_a_single_number_is_a_spectrum(put):
    result = files.read(put("s.csv", "0.5"))
    assert result.kind == "spectrum"
    np.testing.assert_array_equal(result.values, [0.5])


def test_the_record_is_frozen(put):
    result = files.read(str(put("w.npy", npy(W))))
    with pytest.raises(AttributeError):
        result.values = W


@given(matrix=TABLE.filter(np.any))
def test_every_dense_format_gives_back_every_bit(tmp_path_factory, matrix):
    folder = tmp_path_factory.mktemp("round")
    np.save(folder / "w.npy", matrix)
    np.savez_compressed(folder / "w.npz", matrix)
    for suffix, delimiter in ((".csv", ","), (".tsv", "\t")):
        lines = [delimiter.join(map(repr, row)) for row in matrix.tolist()]
        writing.write_text(folder / f"w{suffix}", "\n".join(lines))
    scipy.io.mmwrite(folder / "w.mtx", matrix, precision=17, symmetry="general")
    for suffix in (".npy", ".npz", ".csv", ".tsv", ".mtx"):
        # Said to be a matrix of numbers: among tables of chance are some that look like ids.
        text = {"header": False, "index": False} if suffix in (".csv", ".tsv") else {}
        read = files.read(folder / f"w{suffix}", format="matrix", **text)
        np.testing.assert_array_equal(read.values, matrix)


def test_scipy_waits_until_a_sparse_file_comes():
    code = (
        "import sys, richlazy.sources.files, richlazy.sources.controls;"
        "print('scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "s.csv",
            "3\n-1\n",
            "s.csv: read as a spectrum, it must be >= 0; its smallest value is -1",
        ),
        (
            "s.csv",
            "3\n1\n2\n",
            "s.csv: read as a spectrum, it must be in descending order; it rises",
        ),
        ("s.csv", "3,1,2", "it rises at index 2. Sort it"),
        ("s.csv", "0\n0\n", "s.csv: read as a spectrum, it must have a non-zero singular value"),
    ],
)
def test_a_spectrum_that_is_none_is_refused(put, name, content, expected):
    assert expected in message(put(name, content))


# ---------------------------------------------------------------- task files


def test_a_task_may_count_from_zero(put):
    task = files.read_vector_or_matrix(put("t.csv", "0,1,2,3\n"), "--task")
    np.testing.assert_array_equal(task, [0, 1, 2, 3])


@pytest.mark.parametrize("content", ["1\n-2\n0\n5\n", "1,-2,0,5\n", "beta\n1\n-2\n0\n5\n"])
def test_a_task_vector_may_have_any_sign_and_order(put, content):
    task = files.read_vector_or_matrix(put("t.csv", content), "--task")
    np.testing.assert_array_equal(task, [1, -2, 0, 5])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.npy", npy(W)),
        ("t.mtx", stored(scipy.io.mmwrite, scipy.sparse.coo_array(W))),
        ("t.npz", stored(scipy.sparse.save_npz, scipy.sparse.csc_array(W))),
    ],
)
def test_a_task_matrix_is_dense(put, name, content):
    task = files.read_vector_or_matrix(put(name, content), "--task")
    assert isinstance(task, np.ndarray)
    np.testing.assert_array_equal(task, W)


def test_a_task_file_that_is_none_says_what_it_was_for(put):
    def read_task(path):
        return files.read_vector_or_matrix(path, "--task")

    path = put("t.csv", "1\nx\n")
    assert message(path, read_task).startswith("--task: t.csv, line 2: 'x' is not a real number")
    assert message(put("e.csv", "pre,post,n\na,b,1\n"), read_task) == (
        "--task: e.csv: must be a vector or a table of numbers, not an edge list"
    )


def test_a_sparse_task_too_large_to_be_dense(put):
    text = "%%MatrixMarket matrix coordinate real general\n1000000 2147483647 1\n1 1 5\n"
    path = put("t.mtx", text)
    assert files.read(path).values.shape == (1000000, 2147483647)
    assert message(path, lambda path: files.read_vector_or_matrix(path, "--task")) == (
        "--task: t.mtx: a dense (1000000, 2147483647) array needs 1.72e+07 GB, more than the "
        "limit of 4 GB (--limit GB raises it)"
    )


# ---------------------------------------------------------------- writing


def test_text_is_written_as_it_is(tmp_path):
    path = tmp_path / "out.csv"
    writing.write_text(path, "κ,σ\r\n1,2\n")
    assert path.read_bytes() == "κ,σ\r\n1,2\n".encode()
    writing.write_bytes(str(path), b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_written_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "plain").write_text("x")
    writing.write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    text = message(path, lambda target: writing.write_text(target, "new"))
    assert text == "out.csv: cannot be written (No space left on device)"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        writing.write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_writing_where_no_file_can_be(tmp_path):
    missing = tmp_path / "none" / "out.csv"
    text = message(missing, lambda path: writing.write_bytes(path, b""))
    assert text == "out.csv: cannot be written (No such file or directory)"
    (tmp_path / "folder").mkdir()
    text = message(tmp_path / "folder", lambda path: writing.write_bytes(path, b""))
    assert text == "folder: cannot be written (Is a directory)"


def test_output_file_replaces_only_by_force(put, tmp_path):
    fresh = tmp_path / "new.csv"
    assert writing.output_file(str(fresh)) == fresh
    assert not fresh.exists()
    old = put("old.csv", "x")
    assert message(old, writing.output_file) == (
        "old.csv: exists; choose another name, or force to replace it"
    )
    assert writing.output_file(old, force=True) == old
    assert old.read_text() == "x"
    dangling = tmp_path / "link.csv"
    dangling.symlink_to(tmp_path / "nowhere")
    assert "exists" in message(dangling, writing.output_file)


def test_output_file_needs_a_place_for_a_file(tmp_path):
    def forced(path):
        return writing.output_file(path, force=True)

    assert message(tmp_path, forced).endswith("is a folder; name a file in it")
    assert "does not exist; make it first" in message(tmp_path / "none" / "out.csv", forced)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_output_file_replaces_no_device(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = message(pipe, lambda path: writing.output_file(path, force=True))
    assert text == "pipe: is not a regular file; name one"


def test_output_folder_is_made_when_asked_and_kept(tmp_path):
    folder = tmp_path / "a" / "b"
    assert writing.output_folder(str(folder)) == folder
    assert not folder.parent.exists()
    writing.make_folder(folder)
    assert writing.output_folder(folder) == folder
    (folder / "kept.txt").write_text("x")
    assert message(folder, writing.output_folder) == (
        "b: is not empty; choose another folder, or force to write into it"
    )
    assert writing.output_folder(folder, force=True) == folder
    assert (folder / "kept.txt").read_text() == "x"


def test_output_folder_needs_a_place_for_a_folder(put):
    path = put("plain", "x")
    assert message(path, writing.output_folder) == "plain: is a file; name a folder"
    text = message(path / "below", lambda target: writing.output_folder(target, force=True))
    assert text == "below: cannot be used as a folder (Not a directory)"


def test_places_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(FileError, match="no permission to write in this folder"):
        writing.output_file(tmp_path / "out.csv")
    with pytest.raises(FileError, match="no permission to write in this folder"):
        writing.output_folder(tmp_path / "out")
