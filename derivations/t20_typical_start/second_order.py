"""T20: the second order of the lazy limit, where rank begins to matter."""

from __future__ import annotations

import sympy as sp

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.frame.lag_sums import k
from derivations.t20_typical_start.series import climb
from derivations.t20_typical_start.symbols import CUMULANTS, K, g, nu, s, u, v

__all__ = ["FORMULAS", "K_W", "NOTATION", "STEPS", "x", "y"]

x, y = u**2, v**2
K_W, F3, C4, gap = sp.symbols("K_W F_3 C_4 delta_3", positive=True)
_squares = x**2 + 4 * x * y + y**2
_lengths = 3 * x**2 + 8 * x * y + 3 * y**2

FORMULAS = {
    "climb_1": sp.Rational(2, 3)
    * ((x + y) * g**4 * nu + g**2 * _squares + x * y * (x + y)),
    "stretch_1": (g**2 * _lengths + 4 * x * y * (x + y)) / 12,
    "climb_2": sp.Rational(2, 3)
    * (
        g**8 * (x + y) * (2 * nu - 1)
        + g**6 * _squares * (nu + 1)
        + g**4 * x * y * (x + y) * (nu + 5)
        + 2 * g**2 * x**2 * y**2
    ),
    "stretch_2": (
        g**6 * _lengths * (nu + 1)
        + g**4 * x * y * (x + y) * (4 * nu + 22)
        + 14 * g**2 * x**2 * y**2
    )
    / 12,
    "second_order_W_squared": K_W * s**2 / K**2 + (C4 / K**4 - 2 * K_W * F3 / K**5) * s**4,
    "rank_slope_1": -4 * x * y * (x + y) * g**4 / (3 * K**5),
    "rank_slope_2": (
        g**6 * _lengths + 4 * g**4 * x * y * (x + y)
    ) / (12 * K**4)
    - 8 * g**6 * x * y
    * (2 * g**4 * (x + y) + g**2 * _squares + x * y * (x + y))
    / (3 * K**5),
    "rank_slope_2_equal": -(g**6) * u**6 * (g**2 + x) * (25 * g**2 + 12 * x) / (3 * K**5),
    "law_error_1": -4 * x * y * (x + y) * gap / (15 * K**7),
}  # fmt: skip

NOTATION = {
    K_W: "the part of K that belongs to W",
    F3: "coefficient of tau^3 in the response at the lag of the task, tau the integral of its "
    "error over time",
    C4: "coefficient of tau^4 in |W - W(0)|^2",
    gap: "law_gap",
}

LAGS = (1, 2, 3)


def _by_spectrum(expression, spectrum_cumulant_1, spectrum_cumulant_2):
    k1, k2 = CUMULANTS[:2]
    return expression.subs({k1: spectrum_cumulant_1, k2: spectrum_cumulant_2})


def _response(path):
    """The first powers of tau in the response at the lag of the task."""
    driven = path.powers(path.U, 1)[path.lag]
    return [path.product(path.V, driven, n) for n in range(4)]


def _series(
    climb_1, climb_2, stretch_1, stretch_2, typical_kernel, typical_kernel_W,
    spectrum_cumulant_1, spectrum_cumulant_2,
):  # fmt: skip
    cumulants = (spectrum_cumulant_1, spectrum_cumulant_2)
    claims = {1: (climb_1, stretch_1), 2: (climb_2, stretch_2)}
    for lag in LAGS:
        path = climb(lag)
        response = _response(path)
        squares = [path.change_squared(n) for n in (2, 3, 4)]
        # Odd and even in tau; the first order is T17's kernel; nothing beyond kappa_2.
        yield [response[0], response[2], squares[1]]
        yield [
            _by_spectrum(response[1], *cumulants) - typical_kernel.subs(k, lag),
            _by_spectrum(squares[0], *cumulants) - typical_kernel_W.subs(k, lag),
        ]
        yield [
            sp.diff(series, cumulant)
            for series in (response[3], squares[2])
            for cumulant in CUMULANTS[2:]
        ]
        for series, claim in zip((response[3], squares[2]), claims.get(lag, ()), strict=False):
            yield _by_spectrum(series, *cumulants) - claim


def _solved(second_order_W_squared):
    """Put tau = s/K - F_3 s^3/K^4 into the two series; orders s to s^4."""
    tau = s / K - F3 * s**3 / K**4
    missed = sp.expand(K * tau + F3 * tau**3 - s)
    yield [missed.coeff(s, n) for n in range(5)]
    change = sp.expand(K_W * tau**2 + C4 * tau**4)
    claimed = sp.expand(second_order_W_squared)
    yield [change.coeff(s, n) - claimed.coeff(s, n) for n in range(6)]
    yield sp.expand(claimed - sum(claimed.coeff(s, n) * s**n for n in range(5)))


def _slope(
    second_order_W_squared, rank_slope_1, rank_slope_2, rank_slope_2_equal, climb_1, stretch_1,
    climb_2, stretch_2, typical_kernel, typical_kernel_W,
):  # fmt: skip
    claims = ((rank_slope_1, climb_1, stretch_1), (rank_slope_2, climb_2, stretch_2))
    for lag, (slope, cubic, quartic) in enumerate(claims, 1):
        part = typical_kernel_W.subs(k, lag)
        second = second_order_W_squared.subs({F3: cubic, C4: quartic, K_W: part})
        yield sp.diff(second, nu) - slope * s**4
    equal = typical_kernel.subs({k: 2, v: u})
    yield (rank_slope_2.subs(v, u) - rank_slope_2_equal).subs(K, equal)


def _third(law_error_1, typical_kernel_W):
    """Spectra of one participation ratio differ in kappa_3 by the gap, and in tau^5 first."""
    path = climb(1, 5)
    k3 = CUMULANTS[2]
    fifth = path.product(path.V, path.powers(path.U, 1)[1], 5)
    yield [path.change_squared(n).diff(k3) for n in range(2, 7)]
    yield [_response(path)[n].diff(k3) for n in range(4)]
    # F_1 = K tau + F_3 tau^3 + F_5 tau^5 = s: what F_5 does to tau, and tau to K_W tau^2.
    moved = -sp.diff(fifth, k3) * gap * (s / K) ** 5 / K
    yield 2 * typical_kernel_W.subs(k, 1) * (s / K) * moved - law_error_1 * s**6


STEPS = (
    Step(
        ("climb_1", "climb_2", "stretch_1", "stretch_2"),
        "A typical start and a task s at one lag k >= 1, one channel and output: no other "
        "response moves (words of unequal numbers of W and W' vanish), so that the flow is that "
        "of the one error, and in its own time tau = int e dt it climbs the gradient of F_k. In "
        "words on U and V: F_k = K tau + F_3 tau^3, |W - W(0)|^2 = K_W tau^2 + C_4 tau^4. Neither "
        "coefficient has more than four runs: they know kappa_1 and kappa_2 only (lags 1 to 3). "
        "So to second order the participation-ratio law is exact.",
        Zero(_series),
    ),
    Step(
        ("second_order_W_squared",),
        "The flow ends at F_k = s: solve for tau, and put it in. The error is of order s^6, where "
        "kappa_3 enters.",
        Zero(_solved),
    ),
    Step(
        ("rank_slope_1", "rank_slope_2", "rank_slope_2_equal"),
        "Its slope in nu = N/PR at lags 1 and 2, over s^4. At lag 1 it is never positive: the "
        "lower the rank, the more U and V speed each other up through W (the words W W'W W'), and "
        "the less is left to W. So |W - W(0)| rises with rank, unlike in two layers. At lag 2 "
        "this holds for u = v (the third claim), and not if one of them is much the smaller: "
        "what is left of the slope for v = 0 is 3 g^6 u^4/(12 K^4) > 0.",
        Zero(_slope),
    ),
    Step(
        ("law_error_1",),
        "The first that the law leaves out, over s^6, at lag 1: |W - W(0)|^2 of the spectrum minus "
        "that of the law of its participation ratio. Never positive.",
        Zero(_third),
    ),
)
