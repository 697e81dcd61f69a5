"""Arrays of any library, and nests of them, become NumPy arrays by name."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

from richlazy.runs.arrays import as_numpy, named


class Parameter:
    """A tensor as PyTorch has it: no array before it is detached and fetched."""

    def __init__(self, values, stage="grad"):
        self.values, self.stage = values, stage
        self.dtype, self.shape = values.dtype, values.shape

    def detach(self):
        return Parameter(self.values, "device")

    def cpu(self):
        assert self.stage == "device", "fetched before it was detached"
        return Parameter(self.values, "host")

    def __array__(self, dtype=None, copy=None):
        if self.stage != "host":
            raise TypeError("can't convert: it needs gradients, or lies on a device")
        return self.values


class Exported:
    """An array that speaks DLPack alone."""

    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **keywords):
        return self.values.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class Narrow:
    """bfloat16, which NumPy has not."""

    dtype = "torch.bfloat16"

    def float(self):
        return np.ones(3, dtype=np.float32)


def test_parameters_are_detached_and_fetched():
    assert np.array_equal(as_numpy(Parameter(np.ones(3)), "w"), np.ones(3))


def test_any_array_that_exports_itself():
    assert np.array_equal(as_numpy(Exported(np.arange(3.0)), "w"), np.arange(3.0))


def test_bfloat16_becomes_float32():
    assert as_numpy(Narrow(), "w").dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_precision_is_kept(dtype):
    assert as_numpy(np.ones(2, dtype=dtype), "w").dtype == dtype


def test_integers_are_welcome():
    assert as_numpy([[1, 2], [3, 4]], "w").dtype == np.float64


def test_what_is_returned_is_a_copy():
    given = np.ones(3)
    kept = as_numpy(given, "w")
    given[0] = 5.0
    assert kept[0] == 1.0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([1.0, np.nan]), "w must be finite; it has 1 of 2"),
        (np.array([1j]), "w must hold real numbers"),
        (np.array([]), "w must not be empty"),
        (np.array([None]), "w must hold real numbers"),
        ([[1.0], [1.0, 2.0]], "w must be an array of numbers"),
        (object(), "w must be an array; it is object"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "masked"),
    ],
)
def test_what_is_no_array_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        as_numpy(value, "w")


def test_nests_are_named_by_where_things_are():
    nest = OrderedDict(
        first={"kernel": np.ones((2, 2)), "bias": np.zeros(2)},
        rest=[np.ones(1), (np.ones(2), None)],
    )
    assert list(named(nest, "weights")) == ["first.kernel", "first.bias", "rest.0", "rest.1.0"]
    assert list(named(np.ones(2), "weights")) == ["weights"]
    assert list(named([[1.0, 2.0], [3.0, 4.0]], "weights")) == ["weights"]
    assert list(named([np.ones(2), np.ones(3)], "weights")) == ["0", "1"]


def test_an_empty_nest_is_refused():
    with pytest.raises(ValueError, match="weights must hold an array"):
        named({"a": {}, "b": None}, "weights")


def test_what_is_wrong_in_a_nest_is_named():
    with pytest.raises(ValueError, match=r"layer\.w must be finite"):
        named({"layer": {"w": [np.inf]}}, "weights")
