"""Checks of arguments: what passes, what comes back, and every message."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

import richlazy as rl
from richlazy import errors


@pytest.mark.parametrize("name", ["AssumptionError", "ConvergenceError", "FileError"])
def test_every_error_is_a_value_error(name):
    assert issubclass(getattr(errors, name), ValueError)
    assert issubclass(errors.UndefinedError, ValueError)


@pytest.mark.parametrize(
    "value", [3, True, np.int8(3), [1, 2], [[1.5], [2]], np.float32(0.5), np.arange(3, dtype="u2")]
)
def test_numbers_become_float64(value):
    found = errors.real_array(value, "x")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, value)


def test_the_callers_array_is_not_shared():
    mine = np.ones(3)
    errors.real_array(mine, "x")[0] = 5
    np.testing.assert_array_equal(mine, 1)


def test_a_range_is_found_without_a_copy():
    mine = np.array([[2.0, -3.0], [0.5, 1.0]])
    found, least, greatest = errors.real_range(mine, "x")
    assert found is mine
    assert (least, greatest) == (-3.0, 2.0)
    found, least, greatest = errors.real_range([4, True], "x")
    assert (found.dtype, least, greatest) == (np.float64, 1.0, 4.0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1j], "x must hold real numbers; its dtype is complex128"),
        (["1", "2"], "x must hold real numbers; its dtype is <U1"),
        (None, "x must hold real numbers; its dtype is object"),
        ([{}], "x must hold real numbers; its dtype is object"),
        ([[1, 2], [3]], "x must be a rectangular array of numbers; its rows differ"),
        (10**400, "x must hold real numbers; its dtype is object"),
        (scipy.sparse.eye_array(2), "x must hold real numbers; its dtype is object"),
        (np.array(["2020-01-01"], "M8[D]"), "x must hold real numbers; its dtype is datetime64[D]"),
        ([], "x must not be empty; its shape is (0,)"),
        (np.ones((3, 0)), "x must not be empty; its shape is (3, 0)"),
    ],
)
@pytest.mark.parametrize(
    "check",
    [
        errors.real_array,
        errors.real_range,
        errors.times,
        errors.positive,
        errors.nonnegative,
        errors.unit_interval,
    ],
)
def test_what_is_no_array_of_real_numbers_is_refused(check, value, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        check(value, "x")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "check",
    [
        errors.real_array,
        errors.real_range,
        errors.positive,
        errors.nonnegative,
        errors.unit_interval,
    ],
)
def test_what_is_not_finite_is_refused(check):
    with pytest.raises(ValueError, match=r"^x must be finite; it has 2 of 3 values NaN or inf"):
        check([np.nan, 1.0, np.inf], "x")


@pytest.mark.parametrize(
    ("ndim", "value", "message"),
    [
        (1, [[1.0]], r"^x must have 1 dimensions; its shape is \(1, 1\)$"),
        ((1, 2), 1.0, r"^x must have 1 or 2 dimensions; its shape is \(\)$"),
        (0, [1.0, 2.0], r"^x must be one number; its shape is \(2,\)$"),
    ],
)
def test_dimensions(ndim, value, message):
    with pytest.raises(ValueError, match=message):
        errors.real_array(value, "x", ndim=ndim)


@pytest.mark.parametrize(("ndim", "value"), [(0, 2), (1, [2]), ((1, 2), [[2]]), (None, [[[2]]])])
def test_dimensions_that_fit(ndim, value):
    assert errors.real_array(value, "x", ndim=ndim).shape == np.shape(value)


@pytest.mark.parametrize(
    "check", [errors.positive, errors.nonnegative, errors.unit_interval, errors.times]
)
def test_one_number_may_be_asked_for(check):
    assert check(1, "x", ndim=0) == 1
    with pytest.raises(ValueError, match=r"^x must be one number; its shape is \(1,\)$"):
        check([1.0], "x", ndim=0)


def test_times():
    np.testing.assert_array_equal(errors.times([0, 1, np.inf]), [0.0, 1.0, np.inf])
    for bad in (-1.0, [1.0, np.nan], -np.inf):
        with pytest.raises(ValueError, match=r"^t must be >= 0 and not NaN \(infinity is allowed"):
            errors.times(bad)
    with pytest.raises(ValueError, match=r"^when must be >= 0 and not NaN"):
        errors.times(-1, "when")


def test_signs():
    assert errors.positive([1e-300], "x")[0] == 1e-300
    assert errors.nonnegative(0, "x") == 0
    with pytest.raises(ValueError, match=r"^x must be > 0; its smallest value is 0$"):
        errors.positive([0, 2], "x")
    with pytest.raises(ValueError, match=r"^x must be >= 0; its smallest value is -0.5$"):
        errors.nonnegative([2, -0.5], "x")


def test_unit_interval():
    np.testing.assert_array_equal(errors.unit_interval([0, 0.5, 1], "x"), [0, 0.5, 1])
    with pytest.raises(ValueError, match=r"^x must lie in \[0, 1\]; it is 1.5$"):
        errors.unit_interval([0.1, 1.5, -1], "x")
    with pytest.raises(ValueError, match=r"^x must lie in \[0, 1\]; it is -1e-12$"):
        errors.unit_interval(-1e-12, "x")


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float32(3), np.array(3)])
def test_integers(value):
    found = errors.integer(value, "x")
    assert found == 3
    assert type(found) is int


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.5, "3.5"),
        (True, "True"),
        ("3", "'3'"),
        (None, "None"),
        (3j, "3j"),
        ([3], "[3]"),
        ([3, [4]], "[3, [4]]"),
        (np.nan, "nan"),
        (np.inf, "inf"),
    ],
)
def test_what_is_no_integer_is_refused(value, shown):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        errors.integer(value, "x")
    assert str(caught.value) == f"x must be an integer; it is {shown}"


def test_integers_have_a_least_value():
    assert errors.integer(0, "x", least=0) == 0
    with pytest.raises(ValueError, match=r"^x must be at least 1; it is 0$"):
        errors.integer(0, "x")
    with pytest.raises(ValueError, match=r"^x must be at least 2; it is 1.0$"):
        errors.integer(1.0, "x", least=2)


HIDDEN = np.ma.masked_equal([[1, -999, 2], [0.5, 3, -999], [-999, 1, 1]], -999)


@pytest.mark.parametrize(
    "use", [rl.spectrum.effective_rank, rl.Network, lambda w: rl.expect(w, 3), rl.Task]
)
def test_masked_entries_are_not_used_as_weights(use):
    with pytest.raises(ValueError, match=r"has 3 masked entries, .* pass \w+\.filled\(0\)"):
        use(HIDDEN)
    with pytest.raises(ValueError, match="masked entries"):
        errors.times(np.ma.masked_less([0.0, 1.0], 0.5))
    assert rl.spectrum.effective_rank(HIDDEN.filled(0)) == pytest.approx(1.87, abs=0.005)
    np.testing.assert_array_equal(errors.real_array(np.ma.array([1.0, 2.0]), "x"), [1, 2])


def test_counts_stay_where_float64_counts():
    assert errors.integer(2**53, "n") == 2**53
    for beyond in (2**53 + 1, 10**20, 10**400, 1e308, np.int64(2**62)):
        with pytest.raises(ValueError, match="n must be at most 9007199254740992"):
            errors.integer(beyond, "n")
    with pytest.raises(ValueError, match=r"n must be at most 7; it is 8\.0"):
        errors.integer(8.0, "n", most=7)
    assert errors.integer(7, "n", most=7) == 7
    assert errors.counts([1, 2**53], "n").tolist() == [1.0, 2.0**53]
    with pytest.raises(
        ValueError, match=r"n must be at most 2\*\*53; its largest value is 1e\+308"
    ):
        errors.counts([1.0, 1e308], "n")


_MANY = 10**10


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda n: rl.spectrum.flat(n), "limit=GB"),
        (lambda n: rl.spectrum.power_law(n, exponent=1.0), "limit=GB"),
        (lambda n: rl.spectrum.exponential(n, rate=0.1), "limit=GB"),
        (lambda n: rl.spectrum.gaussian(n, n), "limit=GB"),
        (lambda n: rl.spectrum.gaussian(n, 10**5, rng=0), "limit=GB"),
        (lambda n: rl.Task.random(n, rng=0), "lower inputs"),
        (lambda n: rl.expect([1.0, 0.5], n, outputs=n), "lower outputs"),
        (lambda n: rl.expect([1.0, 0.5], n, outputs=10**6), "lower outputs"),
        (lambda n: rl.expect([1.0, 1.0], n, outputs=n), "lower outputs"),
        (
            lambda n: rl.Network.from_spectrum([1.0], task=rl.Task([1.0, 0.5]), hidden=n, rng=0),
            "lower hidden",
        ),
        (lambda n: rl.recurrent.Network.random(np.eye(3), channels=n, rng=0), "lower channels"),
        (lambda n: rl.recurrent.Task.random(n, rng=0), "lower steps"),
        (lambda n: rl.recurrent.expect([1.0, 0.5], steps=2, units=n, method="sample"), "'law'"),
    ],
)
def test_sizes_are_checked_before_memory_is_asked_for(make, remedy):
    with pytest.raises(ValueError, match=rf"needs .* GB, more than the limit of 4 GB \(.*{remedy}"):
        make(_MANY)


def test_a_limit_can_be_moved():
    with pytest.raises(ValueError, match="needs 4e-06 GB, more than the limit of 1e-06 GB"):
        rl.spectrum.flat(100, limit=1e-6)
    assert rl.spectrum.flat(100, limit=1e-5).size == 100


def test_ranks_that_rounding_cannot_tell_apart_are_refused():
    # at 2**53 inputs the window began at 0.14 instead of about 330
    for ask in (rl.laziest.window, rl.laziest.rank):
        with pytest.raises(ValueError, match="inputs must be at most 1000000000000; it is"):
            ask(2**53, strengths=[1.0, 0.2])
