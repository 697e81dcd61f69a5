"""Files that mean harm, or that a shell makes: refused at once, within the memory allowed."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tracemalloc
import zipfile

import networkx
import numpy as np
import pyarrow.parquet
import pytest
import safetensors.numpy
import scipy.io
import scipy.sparse

from richlazy import files
from richlazy.errors import FileError
from richlazy.sources import source as sources
from tests.theory.sources.reading import message, npy, npz, stored

MB = 1 << 20


def header(shape, dtype="<f8", more=b""):
    """A .npy file that says more than it holds."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return out.getvalue() + more


def zipped(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return out.getvalue()


def within(path, most=32 * MB, **given):
    """The message of a refusal that took no more memory than `most`."""
    tracemalloc.start()
    try:
        text = message(path, lambda path: files.read(path, **given))
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    return text


def sparse(shape):
    parts = {"format": np.array(b"coo"), "shape": np.array(shape), "data": np.ones(1)}
    return npz(**parts, row=np.array([0]), col=np.array([0]))


MATRIX_MARKET = "%%MatrixMarket matrix coordinate real general\n1000000000 1000000000 1\n1 1 5\n"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("w.mtx", MATRIX_MARKET, "needs 8 GB, more than the limit of 4 GB (--limit GB raises it)"),
        ("w.npz", sparse((10**9, 10**9)), "needs 8 GB, more than the limit of 4 GB"),
        ("w.npy", header((10**6, 10**6)), "needs 8e+03 GB, more than the limit"),
        ("w.npy", header((2**62, 2**62)), "more than the limit"),
        ("w.npz", zipped(w=header((10**5, 10**5))), "needs 80 GB"),
        ("w.npz", zipped(w=header((10**4, 10**4))), "is cut short"),
        ("w.npy", npy(np.eye(2)) + b"more", "bytes trail behind its 32 bytes of numbers"),
    ],
)
def test_sizes_are_checked_before_memory_is_asked_for(put, name, content, expected):
    assert expected in within(put(name, content))


def test_an_unpacked_file_keeps_to_the_limit(put):
    bomb = gzip.compress(b"0," * (150 * MB), compresslevel=1)
    assert len(bomb) < 2 * MB
    text = within(put("w.csv.gz", bomb), 80 * MB, limit=0.05)
    assert "more than the limit of 0.05 GB" in text
    zeros = header((5 * 10**6,), more=bytes(40 * 10**6))
    assert "needs 0.04 GB" in within(put("w.npz", zipped(w=zeros)), limit=0.03)
    out = io.BytesIO()
    scipy.io.savemat(out, {"W": np.zeros((2000, 2000))}, do_compression=True)
    assert "more than the limit" in within(put("w.mat", out.getvalue()), limit=0.01)


def test_members_that_are_not_needed_stay_packed(put):
    big = header((5 * 10**6,), more=bytes(40 * 10**6))
    path = put("w.npz", zipped(big=big, w=npy(np.eye(2))))
    tracemalloc.start()
    found = files.read(f"{path}:w")
    assert tracemalloc.get_traced_memory()[1] < 10 * MB
    tracemalloc.stop()
    np.testing.assert_array_equal(found.values, np.eye(2))
    assert found.name == "w"


def test_a_very_long_line(put):
    assert "more than the limit" in within(put("w.csv", "1," * 10**6), limit=0.05)
    assert "field larger than field limit" in message(put("w.csv", "1" * 10**6))
    assert "is not a real number" in message(put("w.csv", "1.5,2\n3," + "1" * 10**5))


W = np.random.default_rng(0).standard_normal((30, 40))
SAVED = {
    "w.safetensors": safetensors.numpy.save({"w": W}),
    "w.npy": npy(W.astype(np.float32)),
    "w.mat": stored(scipy.io.savemat, {"W": W.astype(np.float32)}),
    "w.mtx": stored(scipy.io.mmwrite, scipy.sparse.coo_array(np.round(W))),
    "w.csv": "\n".join(",".join(f"{x:.12f}" for x in row) for row in W).encode(),
    "w.parquet": stored(
        lambda out: pyarrow.parquet.write_table(
            pyarrow.table({f"c{k}": column for k, column in enumerate(W.T)}), out
        )
    ),
    "e.csv": b"pre,post,weight\n" + b"".join(b"%d,%d,0.5\n" % (i, i + 1) for i in range(100)),
    "p.csv": b"pre,post\n" + b"".join(b"%d,%d\n" % (i, i + 1) for i in range(100)),
    "g.graphml": stored(
        lambda out: networkx.write_graphml(networkx.DiGraph([("a", "b"), ("b", "c")]), out)
    ),
}


@pytest.mark.parametrize(
    ("name", "needed", "what"),
    [
        ("w.safetensors", 2 * len(SAVED["w.safetensors"]), "the file twice"),
        ("w.npy", 8 * W.size, "an array of shape (30, 40)"),
        ("w.mat", 8 * W.size, "an array of shape (30, 40)"),
        ("w.mtx", 4 * len(SAVED["w.mtx"]), "its text"),
        ("w.csv", 4 * len(SAVED["w.csv"]), "its text"),
        ("w.parquet", 80 * W.size, "a table of 30 rows and 40 columns"),
        ("e.csv", 80 * 3 * 101 + 80, "a table of 304 cells"),
        ("p.csv", 200 * 100, "a list of 100 edges"),
        ("g.graphml", 40 * len(SAVED["g.graphml"]), "its graph"),
    ],
)
def test_what_a_file_takes_in_memory_is_counted_before_it_is_read(put, name, needed, what):
    path = put(name, SAVED[name])
    assert f"{what} needs" in refusal(path, 0.99 * needed / 1e9)
    assert f"{what} needs" not in refusal(path, 1.01 * needed / 1e9)
    assert refusal(path, 1e-3) == ""


def refusal(path, limit):
    """What a limit in GB has a file refused with, if it has."""
    try:
        files.read(path, limit=limit)
    except FileError as error:
        return str(error)
    return ""


def test_the_limit_can_be_raised(put):
    path = put("w.npy", npy(np.eye(200)))
    assert "--limit GB raises it" in within(path, limit=1e-4)
    assert files.read(path, limit=1e-2).values.shape == (200, 200)
    with pytest.raises(ValueError, match="limit must be > 0"):
        files.read(path, limit=0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_only_regular_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.npy").symlink_to("/dev/zero")
    for name in ("pipe.csv", "zero.npy"):
        assert "is not a regular file; name one, or give - for" in message(tmp_path / name)


@pytest.mark.parametrize("text", ["flat:rank=1e9", "gaussian:hidden=1e9,inputs=1e10"])
def test_a_family_keeps_to_the_limit(text):
    with pytest.raises(ValueError, match="needs 40 GB, more than the limit of 4 GB"):
        sources.find(text)
    with pytest.raises(ValueError, match="limit of 1e-06 GB"):
        sources.find("power_law:count=1000,exponent=1", limit=1e-6)


def test_names_reach_no_terminal_as_they_are(tmp_path):
    path = tmp_path / "a\x1b[31m\nb.csv"
    path.write_text("1.5,2\n3,4\n")
    assert files.read(path).name == r"a\x1b[31m\nb"
    path.write_text("1,x\n")
    with pytest.raises(FileError) as caught:
        files.read(path)
    assert str(caught.value).isprintable()


def test_names_that_are_not_utf8(tmp_path):
    raw = os.fsencode(tmp_path) + b"/w\xff.csv"
    try:
        with open(raw, "w") as file:
            file.write("1.5,2\n3,4\n")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = files.read(os.fsdecode(raw))
    assert found.name.encode() == rb"w\xff"


def test_labels_are_shown_clean(put):
    found = files.read(put("e.csv", b"pre,post,n\na\x1b[2J,b,1\n"))
    assert found.neurons == ("a\x1b[2J", "b")
    assert found.description.isprintable()


def test_warnings_of_others_do_not_reach_the_user(put):
    # Python 2 wrote long integers in its headers, which NumPy reads with a warning.
    old = npy(np.array([[1.5, 2.0], [3.0, 4.0]])).replace(b"(2, 2), }  ", b"(2L, 2L), }")
    assert b"2L" in old
    np.testing.assert_array_equal(files.read(put("w.npy", old)).values, [[1.5, 2], [3, 4]])


def test_standard_input():
    code = (
        "import sys; from richlazy import files; r = files.read('-');"
        "print(r.name, r.values.tolist())"
    )
    for data in (
        b"1.5,2\n3,4\n",
        npy(np.array([[1.5, 2], [3, 4]])),
        gzip.compress(b"1.5 2\n3 4\n"),
    ):
        done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True)
        assert done.stdout == b"standard input [[1.5, 2.0], [3.0, 4.0]]\n", done.stderr


def test_a_million_edges_in_time(put):
    import time

    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 10**5, (10**6, 2)).tolist()
    path = put("e.csv", "pre,post,n\n" + "\n".join(f"{a},{b},1" for a, b in pairs))
    start = time.process_time()
    assert files.read(path).values.sum() == 10**6
    assert time.process_time() - start < 10
