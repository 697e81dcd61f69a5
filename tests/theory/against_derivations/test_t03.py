"""Where library and derivations meet: the modes of T2 and T3 against the claims of both."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations.t02_modes import DERIVATION as T2
from derivations.t03_one_mode import DERIVATION as T3
from richlazy import modes

DIGITS = 120  # the plain claims cancel, which is why the library does not evaluate them
FIELDS = ("first", "readout", "change_first", "change_readout", "error", "loss", "kernel")
ROUNDING = 1e-14  # what the library promises


def claim(name, a0, b0, s, t=0):
    return T3.evaluate(name, digits=DIGITS, a_0=a0, b_0=b0, s=s, t=t)


def relative(found, wanted):
    with mpmath.workdps(DIGITS):
        return float(abs(mpmath.mpf(float(found)) - wanted) / abs(wanted))


def random_starts(count, seed):
    """Starts of one sign, with times in units of the mode's own rate."""
    rng = np.random.default_rng(seed)
    a0, b0 = rng.choice((-1.0, 1.0), count) * 10 ** rng.uniform(-6, 3, (2, count))
    s = 10 ** rng.uniform(-3, 3, count)
    kappa = np.hypot(s, 0.5 * (b0 - a0) * (b0 + a0))
    return np.stack([a0, b0, s, 10 ** rng.uniform(-8, 1.3, count) / kappa], axis=1)


EXTREMES = [  # a0, b0, s, t
    (1e-8, 1e-8, 1.0, 5.0),
    (1e-30, 1e-30, 1.0, 40.0),
    (1e-12, 3.0, 0.2, 1e-6),
    (1e3, 1e-9, 1e-3, 1e-5),
    (1e6, 1e6, 1e12 - 1.0, 1e-13),
    (1e3, 1e3, 1e-3, 1e-6),
    (0.2, np.nextafter(0.2, 1), 7.0, 0.4),
    (-1e-3, -40.0, 2.0, 0.01),
]


@pytest.mark.parametrize("field", FIELDS)
def test_starts_of_one_sign(agreement, field):
    worst = 0.0
    for case in [*random_starts(25, seed=3), *EXTREMES]:
        miss = relative(getattr(modes.state(*case), field), claim(field, *case))
        # an error that has decayed at the rate 2 kappa knows kappa t to rounding only
        decays = float(claim("growth_rate", *case)) * case[3] if field in ("error", "loss") else 0
        worst = max(worst, miss / (1 + decays))
    assert agreement(f"T3 {field}", worst) < ROUNDING


def test_starts_of_opposite_signs(agreement):
    """The pair, relative to the condition number |(a0, b0)|/|c+|."""
    worst = 0.0
    for a0, b0, s, t in [*random_starts(40, seed=4), (1, 1 + 2**-40, 2, 3), (1e-3, 30, 1, 0.05)]:
        case = (a0, -b0, s, t)
        found = [mpmath.mpf(float(x)) for x in modes.trajectory(*case)]
        with mpmath.workdps(DIGITS):
            wanted = [claim(layer, *case) for layer in ("first", "readout")]
            miss = mpmath.norm([x - y for x, y in zip(found, wanted, strict=True)])
            condition = mpmath.hypot(a0, b0) / abs(claim("growing_component", *case))
            worst = max(worst, float(miss / mpmath.norm(wanted) / max(1, condition)))
    assert agreement("T3 first and readout of opposite signs", worst) < ROUNDING


@pytest.mark.parametrize("q", [1e-9, 0.3, 1.0, 7e5])
def test_input_variance(agreement, q):
    """T2 scales the start, T3 moves it, and T2 maps the results back."""
    worst = 0.0
    for a0, b0, s, t in [*random_starts(4, seed=5), *EXTREMES]:
        found = modes.state(a0, b0, s, t, q)
        start = [T2.evaluate(f"scaled_{x}", digits=DIGITS, a=a0, b=b0, q=q)
                 for x in ("first", "readout")]  # fmt: skip
        kappa = float(claim("growth_rate", *start, s))
        now = dict(zip("ab", (claim(x, *start, s, t) for x in ("first", "readout")), strict=True))
        with mpmath.workdps(DIGITS):
            now = {layer: x / mpmath.sqrt(q) for layer, x in now.items()}
        values = now | {"a_0": a0, "b_0": b0, "q": q, "s": s}
        wanted = now | {
            name: T2.evaluate(name, digits=DIGITS, **values)
            for name in ("scaled_change_first", "scaled_change_readout", "product", "kernel")
        }
        names = ("first", "readout", "change_first", "change_readout", "product", "kernel")
        for name, value in zip(names, wanted.values(), strict=True):
            claimed = "T2 " + ("" if name in ("product", "kernel") else "scaled_") + name
            worst = max(worst, agreement(claimed, relative(getattr(found, name), value)))
        left = claim("error", *start, s, t)
        if abs(left) > 1e-290:
            error = relative(found.error, left) / (1 + kappa * t)
            worst = max(worst, agreement("T2 error", error))
        else:
            assert abs(found.error) < 1e-290
    assert worst < ROUNDING


@pytest.mark.parametrize("field", ["first", "readout", "change_first", "change_readout"])
def test_the_end(agreement, field):
    worst = 0.0
    for a0, b0, s, _ in [*random_starts(25, seed=6), *EXTREMES]:
        end = modes.state(a0, b0, s, np.inf)
        worst = max(worst, relative(getattr(end, field), claim(f"final_{field}", a0, b0, s)))
    assert agreement(f"T3 final_{field}", worst) < ROUNDING


@pytest.mark.parametrize(("q", "s"), [(7e5, 7.0), (7e5, 1e-3), (7e9, 1e-6)])
def test_nearly_balanced_layers_under_a_large_variance(agreement, q, s):
    """The rounding of sqrt(q) a0 and sqrt(q) b0 is no imbalance."""
    a0, b0 = 0.2, float(np.nextafter(0.2, 1.0))
    found = modes.state(a0, b0, s, 10.0 / s, q)
    start = [T2.evaluate(f"scaled_{x}", digits=DIGITS, a=a0, b=b0, q=q)
             for x in ("first", "readout")]  # fmt: skip
    for layer in ("first", "readout"):
        wanted = claim(layer, *start, s, 10.0 / s) / mpmath.sqrt(q)
        error = relative(getattr(found, layer), wanted)
        assert agreement(f"T2 scaled_{layer}", error) < ROUNDING


@pytest.mark.parametrize(("a0", "b0"), [(0.3, -0.7), (-1e-6, 5.0), (40.0, -2.0), (0.0, -0.5)])
def test_the_end_of_opposite_signs(agreement, a0, b0):
    end = modes.state(a0, b0, 1.7, np.inf)
    for layer in ("first", "readout"):
        error = relative(getattr(end, layer), claim(f"final_{layer}", a0, b0, 1.7))
        assert agreement(f"T3 final_{layer}", error) < ROUNDING


@pytest.mark.parametrize("t", [1e-9, 0.3, 20.0, 300.0])
@pytest.mark.parametrize("a0", [1e-6, 0.4, -30.0])
def test_without_imbalance(agreement, a0, t):
    s = 1.3
    balanced, opposed, idle = (
        modes.state(*start, t) for start in ((a0, a0, s), (a0, -a0, s), (a0, -a0, 0.0))
    )
    error = relative(balanced.product, claim("balanced_product", a0, a0, s, t))
    assert agreement("T3 balanced_product", error) < ROUNDING
    saddle = claim("saddle_first", a0, -a0, s, t)
    # e^(-st) knows st to rounding
    for value, wanted in ((opposed.first, saddle), (opposed.readout, -saddle)):
        error = relative(value, wanted) / (1 + s * t)
        assert agreement("T3 saddle_first", error) < ROUNDING
    wanted = claim("idle_first", a0, -a0, s, t)
    for value in (idle.first, -idle.readout):
        assert agreement("T3 idle_first", relative(value, wanted)) < ROUNDING


@pytest.mark.parametrize("t", [1e-6, 0.3, 4.0])
@pytest.mark.parametrize(("a0", "b0"), [(0.3, 1.7), (1e-5, -2.0), (1.1, 1.3)])
def test_without_a_task(agreement, a0, b0, t):
    """At s = 0 the claims need b0^2 > a0^2; the other half is its mirror image."""
    found, mirrored = modes.trajectory(a0, b0, 0.0, t), modes.trajectory(b0, a0, 0.0, t)
    np.testing.assert_allclose(mirrored[::-1], found, rtol=ROUNDING)
    for layer, value in zip(("first", "readout"), found, strict=True):
        error = relative(value, claim(layer, a0, b0, 0, t))
        assert agreement(f"T3 {layer}", error) < ROUNDING
