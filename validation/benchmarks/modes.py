"""Benchmarks of `richlazy.modes`: accuracy against mpmath, time against its own floor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import mpmath
import numpy as np
from numpy.typing import NDArray

from richlazy import modes
from richlazy.formulas import elementwise

__all__ = ["Exact", "accuracy", "exact", "random_cases", "speed"]

Array = NDArray[np.float64]
Row = tuple[str, float, float | None, str]

CASES = 20_000
MODES = 1_000_000
TOLERANCE = 5e-14


class Exact(NamedTuple):
    """T3 at high precision; `condition` is ||(a0, b0)||/|c+|."""

    a: mpmath.mpf
    b: mpmath.mpf
    change_a: mpmath.mpf
    change_b: mpmath.mpf
    condition: mpmath.mpf


def exact(a0: float, b0: float, s: float, t: float, digits: int = 120) -> Exact:
    """T3 as it is written, for kappa > 0, finite t and c+ other than 0."""
    with mpmath.workdps(digits):
        a0, b0, s, t = (mpmath.mpf(float(v)) for v in (a0, b0, s, t))
        half = (b0**2 - a0**2) / 2
        kappa = mpmath.sqrt(s**2 + half**2)
        growing = (s, kappa + half) if half >= 0 else (kappa - half, s)
        length = mpmath.hypot(*growing)
        plus = (growing[0] * a0 + growing[1] * b0) / length
        minus = (growing[1] * a0 - growing[0] * b0) / length
        up, down = mpmath.exp(kappa * t), mpmath.exp(-kappa * t)
        scale = mpmath.sqrt(
            1 + plus**2 * (up**2 - 1) / (2 * kappa) + minus**2 * (1 - down**2) / (2 * kappa)
        )
        a = (plus * up * growing[0] + minus * down * growing[1]) / (length * scale)
        b = (plus * up * growing[1] - minus * down * growing[0]) / (length * scale)
        return Exact(a, b, a - a0, b - b0, mpmath.hypot(a0, b0) / abs(plus))


def random_cases(count: int, seed: int) -> Array:
    """Rows a0, b0, s, t: log-uniform, a0 and b0 of either sign."""
    rng = np.random.default_rng(seed)
    weights = rng.choice((-1.0, 1.0), (2, count)) * 10 ** rng.uniform(-8, 3, (2, count))
    return np.stack([*weights, 10 ** rng.uniform(-3, 3, count), 10 ** rng.uniform(-6, 3, count)])


def accuracy(count: int = CASES, seed: int = 0) -> list[Row]:
    """Largest error of a, b, p and of the changes over random cases."""
    cases = random_cases(count, seed)
    one_sign = cases[0] * cases[1] > 0
    worst = dict.fromkeys(("a", "b", "p", "a - a0", "b - b0", "opposite"), 0.0)

    def note(name: str, error: mpmath.mpf) -> None:
        worst[name] = max(worst[name], float(error))

    for kind in (True, False):
        chosen = cases[:, one_sign == kind]
        found = np.stack(modes.state(*chosen)[:5], axis=1)
        for (a0, b0, s, t), values in zip(chosen.T, found, strict=True):
            want = exact(a0, b0, s, t)
            a, b, change_a, change_b, product = (mpmath.mpf(float(v)) for v in values)
            with mpmath.workdps(50):
                if not kind:
                    miss = mpmath.hypot(a - want.a, b - want.b) / mpmath.hypot(want.a, want.b)
                    note("opposite", miss / max(1, want.condition))
                    continue
                note("a", abs(a / want.a - 1))
                note("b", abs(b / want.b - 1))
                note("p", abs(product / (want.a * want.b) - 1))
                if abs(s - a0 * b0) > 1e-6 * max(s, a0 * b0):
                    note("a - a0", abs(change_a / want.change_a - 1))
                    note("b - b0", abs(change_b / want.change_b - 1))
    names = {name: f"{name}, one sign" for name in worst}
    names["opposite"] = "(a, b), opposite signs, / condition number"
    return [(names[name], error, TOLERANCE, "relative") for name, error in worst.items()]


def speed() -> list[Row]:
    """A million modes at one time, in units of exp + expm1 + 3 sqrt over the same blocks."""
    rng = np.random.default_rng(0)
    a0, b0 = 10 ** rng.uniform(-8, 3, (2, MODES))
    s = 10 ** rng.uniform(-3, 3, MODES)
    x = rng.uniform(0.1, 2.0, MODES)

    def floor() -> None:
        for begin in range(0, MODES, elementwise.BLOCK):
            block = x[begin : begin + elementwise.BLOCK]
            for function in (np.exp, np.expm1, np.sqrt, np.sqrt, np.sqrt):
                function(block)

    signs = rng.choice((-1.0, 1.0), MODES)
    calls: dict[str, Callable[[], object]] = {
        "floor": floor,
        "(a, b)": lambda: modes.trajectory(a0, b0, s, 0.7),
        "state": lambda: modes.state(a0, b0, s, 0.7),
        "any sign": lambda: modes.trajectory(signs * a0, b0, s, 0.7),
    }
    spent = dict.fromkeys(calls, np.inf)
    for _ in range(15):  # in turn, so that a busy moment meets all alike
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            spent[name] = min(spent[name], time.perf_counter() - begin)
    floor_time = spent["floor"]
    return [
        ("exp + expm1 + 3 sqrt of a million", floor_time * 1e3, None, "ms"),
        ("(a, b) of a million modes / that", spent["(a, b)"] / floor_time, 3.5, "x"),
        ("with the changes and the rest", spent["state"] / floor_time, 12.0, "x"),
        ("(a, b), signs mixed, / that", spent["any sign"] / floor_time, 8.0, "x"),
    ]
