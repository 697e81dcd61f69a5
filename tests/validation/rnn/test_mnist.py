"""A user's own MNIST: a few images in each form that is read, and files that are not MNIST."""

from __future__ import annotations

import gzip
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

from richlazy.errors import FileError
from validation.rnn.tasks import mnist

NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def made(train=30, test=10):
    rng = np.random.default_rng(3)
    arrays = {}
    for part, n in (("train", train), ("test", test)):
        arrays[f"x_{part}"] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        arrays[f"y_{part}"] = rng.integers(0, 10, n, dtype=np.uint8)
    arrays["x_train"].flat[:2] = 0, 255
    return arrays


def idx(array):
    head = bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.tobytes()


def write_idx(folder, arrays, zipped=()):
    for key, array in arrays.items():
        if key in zipped:
            (folder / f"{NAMES[key]}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / NAMES[key]).write_bytes(idx(array))
    return folder


@pytest.mark.parametrize("form", ["idx", "gz", "mixed", "npz", "npz, labels of int64"])
def test_mnist_is_what_the_files_hold(form, tmp_path):
    arrays = made()
    if form.startswith("npz"):
        path = tmp_path / "mnist.npz"
        kind = np.int64 if "int64" in form else np.uint8
        np.savez_compressed(
            path, **{k: v.astype(kind) if k[0] == "y" else v for k, v in arrays.items()}
        )
    else:
        zipped = {"idx": (), "gz": tuple(NAMES), "mixed": ("x_train", "y_test")}[form]
        path = write_idx(tmp_path, arrays, zipped)
    task = mnist(str(path))
    assert task.held_out.held_out is None
    for part, name in ((task, "train"), (task.held_out, "test")):
        x, y = arrays[f"x_{name}"], arrays[f"y_{name}"]
        assert part.inputs.dtype == np.float32
        assert np.array_equal(part.inputs, (x / 255).astype(np.float32))
        assert part.labels.dtype == np.int32
        assert np.array_equal(part.labels, np.repeat(y[:, None], 28, axis=1))
        assert part.noise.shape == (28, 28)
        assert not part.noise.any()
        assert (part.scored, part.decision, part.outputs) == ((27,), 27, 10)


def test_mnist_takes_little_more_memory_than_the_images_it_returns(tmp_path):
    write_idx(tmp_path, made(train=3000))
    tracemalloc.start()
    try:
        task = mnist(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * task.inputs.nbytes  # the bytes of the file are a quarter


def damaged(name, change):
    """Four IDX files, one of them changed."""

    def write(folder):
        write_idx(folder, made())
        path = folder / NAMES[name]
        path.write_bytes(change(path.read_bytes()))

    return write


def zipped(name, change):
    def write(folder):
        write_idx(folder, made(), zipped=(name,))
        path = folder / f"{NAMES[name]}.gz"
        path.write_bytes(change(path.read_bytes()))

    return write


def replaced(**changes):
    return lambda folder: write_idx(folder, made() | changes)


def missing(folder):
    write_idx(folder, made())
    (folder / NAMES["y_test"]).unlink()


HUGE = bytes.fromhex("00000803" + "ffffffff" * 3)
DAMAGES = {
    "missing": (missing, "has no file t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz"),
    "empty": (damaged("x_test", lambda data: b""), "magic number 00000803.* with nothing"),
    "magic": (damaged("y_train", lambda data: b"\0\0\x08\x03" + data[4:]), "number 00000801"),
    "half a head": (damaged("x_train", lambda data: data[:9]), "must have .* it has 9"),
    "truncated": (damaged("x_train", lambda data: data[:-1]), "must have 23536 .* it has 23535"),
    "too long": (damaged("y_test", lambda data: data + b"\0"), "must have 18 .* it has 19"),
    "huge": (damaged("x_train", lambda data: HUGE + data[16:]), "by its head"),
    "no gzip": (zipped("x_test", lambda data: b"text"), "not a complete gzip file"),
    "half a gzip": (zipped("x_test", lambda data: data[:-20]), "not a complete gzip file"),
    "bad gzip": (zipped("x_test", lambda data: data[:20] + b"\xff" * 99), "not a complete gzip"),
    "sizes": (replaced(x_test=np.zeros((10, 8, 8), np.uint8)), r"test images .* \(10, 8, 8\)"),
    "none": (replaced(x_test=np.zeros((0, 28, 28), np.uint8)), r"test images .* \(0, 28, 28\)"),
    "count": (replaced(y_train=np.zeros(31, np.uint8)), r"the 30 training images; .* \(31,\)"),
    "digit": (replaced(y_test=np.full(10, 12, np.uint8)), "test labels must be 0 to 9; one is 12"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_idx_files_that_are_not_mnist(damage, tmp_path):
    write, message = DAMAGES[damage]
    write(tmp_path)
    refused(tmp_path, message)


def refused(path, message):
    with pytest.raises(FileError, match=message) as caught:
        mnist(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(path))


ARCHIVES = {
    "array missing": (lambda a: a.pop("y_test"), "has no array y_test"),
    "pickled": (lambda a: a.update(y_test=np.array([None] * 10)), "pickled objects"),
    "floats": (lambda a: a.update(x_test=a["x_test"] / 255), "test images .* float64"),
    "flat": (lambda a: a.update(x_train=a["x_train"].reshape(-1, 784)), r"\(30, 784\)"),
    "text": (lambda a: a.update(y_train=a["y_train"].astype(str)), "training images; .* <U"),
    "one-hot": (lambda a: a.update(y_test=np.eye(10, dtype=int)), r"test images; .* \(10, 10\)"),
    "negative": (lambda a: a.update(y_test=np.arange(10) - 1), "0 to 9; one is -1"),
    "one number": (lambda a: a.update(x_test=np.uint8(3)), r"test images .* \(\)"),
}


@pytest.mark.parametrize("damage", ARCHIVES)
def test_archives_that_are_not_mnist(damage, tmp_path):
    change, message = ARCHIVES[damage]
    arrays = made()
    change(arrays)
    np.savez(tmp_path / "mnist.npz", **arrays)
    refused(tmp_path / "mnist.npz", message)


def test_files_that_are_no_archive(tmp_path):
    refused(tmp_path / "mnist.npz", "no such file or folder")
    text = tmp_path / "text.npz"
    text.write_text("no archive")
    refused(text, "must be a folder of IDX files or an .npz file")
    np.savez(text, **made())
    text.write_bytes(text.read_bytes()[:-200] + bytes(200))
    refused(text, "must be a folder of IDX files or an .npz file")


def test_an_archive_with_a_damaged_array(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez(path, **made())
    data = bytearray(path.read_bytes())
    data[5000:5100] = bytes(100)
    path.write_bytes(data)
    refused(path, "not a readable .npz file")
