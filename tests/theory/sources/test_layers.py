"""Arrays of a file by their names: what is read, what is left out, every refusal."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.errors import FileError
from richlazy.sources import layers
from tests.theory.sources import fuzzing
from tests.theory.sources.reading import message, npy, npz, stored

W = np.arange(6.0).reshape(2, 3) - 2.0
B = np.array([0.5, -1.0, 2.0])


@pytest.fixture
def put(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def safetensors(**arrays):
    from safetensors.numpy import save

    return save(arrays)


@pytest.mark.parametrize("save", [npz, safetensors])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_every_array_comes_as_it_was_stored(put, save, dtype):
    path = put(f"run.{save.__name__}", save(w=W.astype(dtype), b=B.astype(dtype)))
    found = layers.read(path)
    assert found.counters == ()
    assert set(found.arrays) == {"w", "b"}
    for name, wanted in (("w", W), ("b", B)):
        np.testing.assert_array_equal(found.arrays[name].values, wanted)
        assert found.arrays[name].values.dtype == dtype
        assert found.arrays[name].unit == np.finfo(dtype).eps


def test_layers_keep_the_order_of_the_file(put):
    path = put("run.npz", npz(w2=W, w10=W, w1=W))
    assert list(layers.read(path).arrays) == ["w2", "w10", "w1"]


def test_bfloat16_is_known_to_its_own_digits(put):
    import json

    header = json.dumps({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    data = len(header).to_bytes(8, "little") + header + b"\x80\x3f\x00\xc0"
    found = layers.read(put("run.safetensors", data)).arrays["w"]
    np.testing.assert_array_equal(found.values, [1.0, -2.0])
    assert found.unit == 2.0**-7


def test_one_array_has_no_name_of_its_own(put):
    assert list(layers.read(put("w.npy", npy(W))).arrays) == ["array"]
    path = put("run.npz", npz(w=W, b=B))
    found = layers.read(f"{path}:b").arrays
    np.testing.assert_array_equal(found["array"].values, B)


def test_counters_are_left_out_and_named(put):
    found = layers.read(put("run.npz", npz(w=W, batches=np.array(7), gain=np.array(0.5))))
    assert found.counters == ("batches",)
    assert list(found.arrays) == ["w", "gain"]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("run.csv", b"1,2\n", "holds no layers by name; save them as .npz or .safetensors"),
        ("run.pt", b"PK", "is a pickle, which can run code when it is opened"),
        ("run.npz", npz(w=W, b=np.array([1, np.nan])), "'b' must be finite; it has 1 of 2 values"),
        ("run.npz", npz(w=W, b=np.array([])), "'b' must not be empty"),
        ("run.npz", npz(w=W, b=np.array([{}])), "'b': holds pickled objects"),
        ("run.npz", npz(w=W, b=np.array(["a"])), "'b': the array must hold real numbers"),
        ("run.npz", npz(), "holds no arrays"),
        ("run.npz", npz(step=np.array(3)), "holds no arrays but counters"),
        ("run.npz", npz(w=W)[:-9], "is not a readable .npz file"),
        ("run.npz", npy(W), "it is no zip archive"),
        ("run.safetensors", safetensors(w=W)[:-1], "is not a readable .safetensors file"),
        ("run.safetensors", safetensors(w=W, b=np.array([np.inf])), "'b' must be finite"),
        ("run.npy", stored(np.save, np.array([{}]), allow_pickle=True), "holds pickled objects"),
        ("run.npy", b"", "is empty"),
    ],
)
def test_files_that_hold_no_layers(put, name, content, why):
    assert why in message(put(name, content), layers.read)


@pytest.mark.parametrize("save", [npz, safetensors])
def test_the_limit_is_on_all_arrays_together(put, save):
    one = np.zeros((100, 100), np.float16)
    path = put(f"run.{save.__name__}", save(a=one, b=one, c=one))
    assert len(layers.read(path, limit=2.5e-4).arrays) == 3
    told = message(path, lambda file: layers.read(file, limit=2.3e-4))
    assert "needs 0.00024 GB, more than the limit of 0.00023 GB (--limit" in told


def test_a_missing_package_is_named_by_its_extra(put, monkeypatch):
    import sys

    path = put("run.safetensors", safetensors(w=W))
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert "pip install 'richlazy[tensors]'" in message(path, layers.read)


@pytest.mark.parametrize("save", [npz, safetensors])
def test_a_damaged_file_is_refused_in_one_line_or_read(put, save):
    """No warning, no other error, and nothing in it that is not finite."""
    rng = np.random.default_rng(0)
    whole = save(w=W, b=B.astype(np.float32))
    told = []
    for _ in range(150):
        path = put(f"run.{save.__name__}", fuzzing.damaged(whole, rng))
        try:
            found = layers.read(path)
        except FileError as error:
            told.append(str(error))
        else:
            assert all(np.all(np.isfinite(layer.values)) for layer in found.arrays.values())
    assert len(told) > 75
    assert not any("\n" in line for line in told)
