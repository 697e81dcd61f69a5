"""T6 against mpmath, against the integrated flow, and against its own symmetries."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from richlazy import low_rank
from richlazy.errors import AssumptionError
from richlazy.formulas import elementwise
from richlazy.laziness import Measures

NAMES = Measures._fields
UNDERFLOW = 1e-290  # a loss below it has lost digits, or itself, to the range of float64


# -- the twin: T6 as it is written, at whatever precision it needs ------------------------


def plain_t6(r, d, c, sigma, g, t):
    """T6's plain formulas for one output at the working precision of mpmath."""
    r, d, c, sigma, g = (mpmath.mpf(x) for x in (r, d, c, sigma, g))
    s = sigma / mpmath.sqrt(r)
    along, across = mpmath.sqrt(c), mpmath.sqrt(1 - c)
    if np.isinf(t):
        mu = mpmath.sqrt((s**2 + mpmath.sqrt(s**4 + 4 * g**2)) / 2)
        parallel, orthogonal, readout = mu, mpmath.mpf(0), mpmath.sqrt(mu**2 - s**2)
    else:
        t = mpmath.mpf(t)
        kappa = mpmath.sqrt(g**2 + s**4 / 4)
        length = mpmath.hypot(kappa + s**2 / 2, g)  # v+ is (kappa - lambda/2, g), lambda = -s^2
        plus = s * along * (kappa + s**2 / 2) / length
        minus = s * along * g / length
        divisor = (
            1
            + plus**2 * (mpmath.exp(2 * kappa * t) - 1) / (2 * kappa)
            + minus**2 * (1 - mpmath.exp(-2 * kappa * t)) / (2 * kappa)
            + s**2 * (1 - c) * (mpmath.exp(s**2 * t) - 1) / s**2
        )
        root = mpmath.sqrt(divisor)
        sinh = mpmath.sinh(kappa * t) / kappa
        parallel = s * along * (mpmath.cosh(kappa * t) + s**2 / 2 * sinh) / root
        orthogonal = s * across * mpmath.exp(s**2 * t / 2) / root
        readout = s * along * g * sinh / root
    square, overlap = parallel**2 + orthogonal**2, parallel * along + orthogonal * across
    change1 = mpmath.hypot(parallel - s * along, orthogonal - s * across)
    inner = s**2 * (r - 1) + overlap**2
    norm = s**4 * (r - 1) + square**2
    kernel = norm + d * readout**4 + 2 * readout**2 * (s**2 * (r - 1) + square)
    return Measures(
        weight_change=mpmath.hypot(change1, readout),
        weight_change_input=change1,
        weight_change_readout=readout,
        representation_alignment=inner / mpmath.sqrt(r * norm),
        kernel_alignment=(inner + readout**2 * r) / mpmath.sqrt(r * kernel),
        target_alignment=(parallel**2 + readout**2) / mpmath.sqrt(kernel),
        loss=((g - readout * parallel) ** 2 + (readout * orthogonal) ** 2) / 2,
    )


def exact_t6(*case):
    """`plain_t6` with the digits doubled until two precisions agree to 20 digits."""
    digits, coarse = 320, None  # a residual of 1e-145 squares to the smallest loss that counts
    while True:
        with mpmath.workdps(digits):
            fine = plain_t6(*case)
        if coarse is not None and all(
            abs(a - b) <= mpmath.mpf(10) ** -20 * abs(b) or abs(b) < UNDERFLOW / 10
            for a, b in zip(coarse, fine, strict=True)
        ):
            return fine
        digits, coarse = 2 * digits, fine


def relative_errors(found, case):
    """Relative error of each measure against the twin; 0 for a loss that underflows in both."""
    errors = []
    for name, value, exact in zip(NAMES, found, exact_t6(*case), strict=True):
        value = float(value)
        if name == "loss" and exact < UNDERFLOW:
            assert 0 <= value < 10 * UNDERFLOW, case
            errors.append(0.0)
        elif exact == 0:
            errors.append(abs(value))
        else:
            errors.append(float(abs((mpmath.mpf(value) - exact) / exact)))
    return errors


def random_cases(count, seed):
    """(r, d, c, sigma, g, t): log-uniform over what float64 users may try, and the corners."""
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(count):
        d = int(np.floor(10 ** rng.uniform(0, 3.0)))
        r = int(np.floor(d ** rng.uniform(0, 1))) if rng.random() < 0.8 else d
        c = rng.choice(
            [
                rng.random(),
                10 ** rng.uniform(-15, 0),
                10 ** rng.uniform(-300, -15),
                1 - 10 ** rng.uniform(-15, 0),
                0.999999,
                1.0,
            ]
        )
        sigma, g = 10 ** rng.uniform(-6, 6), 10 ** rng.uniform(-2, 2)
        t = np.inf if rng.random() < 0.25 else 10 ** rng.uniform(-3, 6)
        cases.append((r, d, 1.0 if r == d else c, sigma, g, t))
    return cases


def evaluate(cases):
    r, d, c, sigma, g, t = np.array(cases, dtype=float).T
    return low_rank.measures(r, d, alignment=c, norm=sigma, strength=g, t=t)


def assert_accurate(cases, bound):
    found = evaluate(cases)
    errors = np.array(
        [relative_errors([v[i] for v in found], case) for i, case in enumerate(cases)]
    )
    i, k = np.unravel_index(np.argmax(errors), errors.shape)
    worst = dict(zip(NAMES, errors.max(axis=0), strict=True))
    message = (
        f"worst {errors[i, k]:.2e} in {NAMES[k]} at (r, d, c, sigma, g, t) = {cases[i]}; {worst}"
    )
    assert errors[i, k] < bound, message
    return message


def test_t6_agrees_with_mpmath_over_500_random_cases():
    assert_accurate(random_cases(500, seed=20240501), bound=1e-12)


def test_t6_agrees_with_mpmath_at_the_ends_of_every_range():
    cases = [
        (r, d, c, sigma, 1.0, t)
        for r, d in ((1, 2), (40, 1000))
        for c in (1e-300, 1e-16, 0.5, 1 - 2**-53, 1.0)
        for sigma in (1e-68, 1e-3, 30.0, 1e69)
        for t in (1e-12, 0.03, 40.0, 1e12, np.inf)
    ]
    cases += [(1, 1, 1.0, sigma, 1.0, t) for sigma in (1e-3, 1.0, 1e3) for t in (1.0, np.inf)]
    assert_accurate(cases, bound=1e-12)


# -- T6 against the flow itself ------------------------------------------------------------


def random_start(r, d, h, c, sigma, g, rng):
    """W1 = (sigma/sqrt r) U V' and a task vector of length g, c of it in the span of V."""
    q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    inside = np.sqrt(c) * q[:, 0] + (np.sqrt(1 - c) * q[:, 1] if c < 1 else 0.0)
    others = q[:, 2 : r + 1] if c < 1 else q[:, 1:r]
    v = np.column_stack([inside, others]) @ np.linalg.qr(rng.standard_normal((r, r)))[0]
    u = np.linalg.qr(rng.standard_normal((h, r)))[0]
    return sigma / np.sqrt(r) * u @ v.T, g * q[:, 0]


def flow_measures(w1, beta, times):
    """All measures of the full W1, W2 flow at ascending times, kernels written out."""
    h, d = w1.shape

    def rate(_, y):
        first, readout = y[:-h].reshape(h, d), y[-h:]
        error = beta - readout @ first
        return np.concatenate([np.outer(readout, error).ravel(), first @ error])

    run = solve_ivp(
        rate,
        (0.0, times[-1]),
        np.concatenate([w1.ravel(), np.zeros(h)]),
        method="DOP853",
        t_eval=times,
        rtol=1e-12,
        atol=1e-15,
    )
    assert run.success
    r0 = w1.T @ w1
    for y in run.y.T:
        first, readout = y[:-h].reshape(h, d), y[-h:]
        r = first.T @ first
        k = r + readout @ readout * np.eye(d)
        change1, change2 = np.linalg.norm(first - w1), np.linalg.norm(readout)
        yield Measures(
            np.hypot(change1, change2),
            change1,
            change2,
            np.sum(r0 * r) / np.linalg.norm(r0) / np.linalg.norm(r),
            np.sum(r0 * k) / np.linalg.norm(r0) / np.linalg.norm(k),
            beta @ k @ beta / np.sum(beta**2) / np.linalg.norm(k),
            0.5 * np.sum((beta - readout @ first) ** 2),
        )


@pytest.mark.parametrize(
    ("r", "d", "h", "c", "sigma", "g"),
    [
        (1, 6, 3, 0.3, 0.1, 1.0),
        (3, 8, 5, 0.6, 1.0, 2.0),
        (3, 8, 5, 0.999999, 3.0, 0.7),
        (4, 7, 4, 1e-3, 2.0, 1.0),
        (5, 5, 6, 1.0, 3.0, 1.0),
        (2, 9, 2, 1.0, 0.5, 3.0),
        (1, 1, 1, 1.0, 1.0, 1.0),
    ],
)
def test_t6_agrees_with_the_integrated_flow(r, d, h, c, sigma, g):
    times = np.array([0.2, 1.0, 4.0, 12.0])
    w1, beta = random_start(r, d, h, c, sigma, g, np.random.default_rng(r + 10 * d))
    found = low_rank.measures(r, d, alignment=c, norm=sigma, strength=g, t=times)
    for i, exact in enumerate(flow_measures(w1, beta, times)):
        for name in NAMES[:-1]:
            value = getattr(found, name)[i]
            assert value == pytest.approx(getattr(exact, name), rel=1e-10, abs=0), (name, times[i])
        # the integrator's error in the weights is relative to them: a loss near 0 has none left
        assert found.loss[i] == pytest.approx(exact.loss, rel=1e-10, abs=1e-12 * g * g)


def test_a_large_misaligned_start_is_slow_as_t6_says():
    c = 1 - 2 * (1 - 0.729)  # KA -> 1 - (1 - c)/r at large scale
    ka = low_rank.measures(2, 10, alignment=c, norm=10.0, t=[50, 150, np.inf]).kernel_alignment
    np.testing.assert_allclose(ka, [0.907, 0.756, 0.729], atol=5e-4)


# -- what must hold at any values ----------------------------------------------------------

ranks = st.integers(1, 60)
extra = st.integers(1, 500)
alignments = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1e-12, 0.999999, 1.0]))
exponents = st.floats(-3, 3)
late = st.one_of(st.just(np.inf), st.floats(-2, 4).map(lambda x: 10.0**x))


@given(ranks, extra, alignments, exponents, st.floats(-4, 4), late)
def test_only_norm_squared_over_strength_and_strength_times_t_matter(r, more, c, x, y, t):
    sigma, b = 10.0**x, 10.0**y
    one = low_rank.measures(r, r + more, alignment=c, norm=sigma, t=t)
    other = low_rank.measures(
        r, r + more, alignment=c, norm=sigma * np.sqrt(b), strength=b, t=t / b
    )
    for name, unit in zip(NAMES, [np.sqrt(b)] * 3 + [1.0, 1.0, 1.0, b * b], strict=True):
        expected = getattr(one, name) * unit
        assert getattr(other, name) == pytest.approx(expected, rel=1e-11, abs=1e-280), name


@given(ranks, extra, alignments, exponents, late)
def test_alignments_lie_between_0_and_1_and_nothing_is_nan(r, more, c, x, t):
    found = low_rank.measures(r, r + more, alignment=c, norm=10.0**x, t=t)
    assert all(np.all(np.isfinite(v)) for v in found)
    for name in ("representation_alignment", "kernel_alignment", "target_alignment"):
        assert 0 <= getattr(found, name) <= 1
    total = np.hypot(found.weight_change_input, found.weight_change_readout)
    assert found.weight_change == pytest.approx(total, rel=1e-14, abs=0)
    assert 0 <= found.loss <= 0.5 * (1 + 1e-14)


@given(ranks, extra, exponents, st.lists(st.floats(1e-9, 1), min_size=2, max_size=6, unique=True))
def test_more_alignment_is_lazier_in_the_end(r, more, x, c):
    c = np.sort(c)
    found = low_rank.measures(r, r + more, alignment=c, norm=10.0**x)
    rounding = 1e-14
    assert np.all(np.diff(found.kernel_alignment) >= -rounding)
    assert np.all(np.diff(found.representation_alignment) >= -rounding)
    assert np.all(np.diff(found.weight_change) <= rounding * found.weight_change[0])
    assert np.all(np.diff(found.weight_change_input) <= rounding * found.weight_change[0])
    # the readout does not know how the row space lay
    np.testing.assert_allclose(found.weight_change_readout, found.weight_change_readout[0])


@given(ranks, extra, alignments, exponents)
def test_loss_falls_with_time(r, more, c, x):
    t = np.r_[0.0, np.geomspace(1e-3, 1e3, 30), np.inf]
    loss = low_rank.measures(r, r + more, alignment=c, norm=10.0**x, t=t).loss
    assert np.all(np.diff(loss) <= 1e-13 * loss[:-1])
    if c > 0:
        assert loss[-1] == 0


@given(ranks, extra, alignments, exponents)
def test_nothing_has_changed_at_time_zero(r, more, c, x):
    found = low_rank.measures(r, r + more, alignment=c, norm=10.0**x, strength=3.0, t=0.0)
    assert found[:3] == (0, 0, 0)
    assert found.representation_alignment == pytest.approx(1, abs=4e-16)
    assert found.kernel_alignment == pytest.approx(1, abs=4e-16)
    assert found.loss == pytest.approx(4.5, rel=1e-14)


@pytest.mark.parametrize("t", [1e-3, 1.0, 1e9, np.inf])
def test_a_start_orthogonal_to_the_task_rests_for_ever(t):
    found = low_rank.measures(3, 9, alignment=0.0, norm=2.0, strength=3.0, t=t)
    assert found[:3] == (0, 0, 0)
    assert found.kernel_alignment == pytest.approx(1, abs=4e-16)
    assert found.loss == pytest.approx(4.5, rel=1e-14)


def test_arrays_are_loops():
    """Over the size of one block, so that the seams between blocks are covered."""
    rng = np.random.default_rng(5)
    d = 200
    r = rng.integers(1, d, size=(160, 1))
    c = rng.random((1, 130))
    sigma, t = 10 ** rng.uniform(-1, 1, (160, 1)), 10 ** rng.uniform(-1, 2, (1, 130))
    assert r.size * c.size > elementwise.BLOCK
    found = low_rank.measures(r, d, alignment=c, norm=sigma, t=t)
    for i, j in [(0, 0), (159, 129), *rng.integers(0, 130, (100, 2)).tolist()]:
        one = low_rank.measures(r[i, 0], d, alignment=c[0, j], norm=sigma[i, 0], t=t[0, j])
        for a, b in zip(found, one, strict=True):
            assert a.shape == (160, 130)
            assert np.shape(b) == ()
            assert a[i, j] == pytest.approx(float(b), rel=1e-12, abs=0)


def test_times_may_be_any_array():
    t = np.array([[0.0, 1.0], [7.0, np.inf]])
    found = low_rank.measures(3, 9, alignment=0.4, t=t)
    for index in np.ndindex(t.shape):
        one = low_rank.measures(3, 9, alignment=0.4, t=t[index])
        for a, b in zip(found, one, strict=True):
            assert a[index] == pytest.approx(float(b), rel=1e-14, abs=0)


# -- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": 0.5}, r"^rank must be >= 1; its smallest value is 0.5$"),
        ({"rank": [2, 11]}, r"^rank must be at most inputs; it is up to 11 of 10$"),
        ({"rank": np.nan}, r"^rank must be finite; it has 1 of 1 values NaN or infinite$"),
        ({"inputs": 1j}, r"^inputs must hold real numbers; its dtype is complex128$"),
        ({"alignment": 1.1}, r"^alignment must lie in \[0, 1\]; it is 1.1$"),
        ({"rank": 10}, r"^alignment must be 1 where rank = inputs: no direction lies outside$"),
        ({"norm": 0.0}, r"^norm must be > 0; its smallest value is 0$"),
        ({"strength": -2.0}, r"^strength must be > 0; its smallest value is -2$"),
        ({"t": -1.0}, r"^t must be >= 0 and not NaN \(infinity is allowed\)$"),
        ({"t": np.nan}, r"^t must be >= 0 and not NaN \(infinity is allowed\)$"),
    ],
)
def test_bad_values_are_refused(change, message):
    good = {"rank": 3, "inputs": 10, "alignment": 0.5, "norm": 1.0, "strength": 1.0, "t": 1.0}
    with pytest.raises(ValueError, match=message):
        low_rank.measures(**{**good, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"norm": 1e-80},
            r"^norm\^2 / \(rank \* strength\) must lie in .* it is about 1e-160; res",
        ),
        ({"norm": [1.0, 1e300]}, r"^norm\^2 / \(rank \* strength\) .* it is about 1e600; rescale$"),
        ({"strength": 1e-150}, r"^strength must lie in \[1e-140, 1e140\], .* it is about 1e-150"),
    ],
)
def test_scales_whose_powers_leave_float64_are_refused(change, message):
    for call in (
        lambda: low_rank.measures(1, 10, alignment=0.5, **change),
        lambda: low_rank.expected(1, 10, **change),
    ):
        with pytest.raises(AssumptionError, match=message):
            call()
