"""T20: starts of low rank, to all orders of the task."""

from __future__ import annotations

import sympy as sp
from sympy import MatrixSymbol, cosh, sinh, sqrt

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Step
from derivations.frame.lag_sums import k, unrolled
from derivations.frame.matrix_words import coefficients
from derivations.t16_recurrent_flow import DERIVATION as T16
from derivations.t16_recurrent_flow.symbols import STEPS_TRIED, N, U, V, W
from derivations.t20_typical_start.series import climb
from derivations.t20_typical_start.symbols import CUMULANTS, g, nu, u, v

__all__ = ["FORMULAS", "NOTATION", "STEPS", "r"]

r = sp.Symbol("r", integer=True, positive=True)
scale, tau, p_squared, q_squared = sp.symbols("s_W tau p_0 q_0", positive=True)
X, Y = MatrixSymbol("X", N, r), MatrixSymbol("Y", N, r)
x, y = u**2, v**2
_angle = 2 * g * sqrt(nu) * tau

FORMULAS = {
    "core_driven": scale * X * (scale * Y.T * X) ** (k - 1) * Y.T * U,
    "core_read": scale * V * X * (scale * Y.T * X) ** (k - 1) * Y.T,
    "core_overlap": (p_squared + q_squared) / 2 * sinh(2 * scale * tau),
    "low_rank_climb": g * (x + y) / (2 * sqrt(nu)) * sinh(_angle) + x * y * tau,
    "low_rank_W_squared": x * y * tau**2,
    "low_rank_slope": g * (x + y) / (4 * nu ** sp.Rational(3, 2))
    * (_angle * cosh(_angle) - sinh(_angle)),
}  # fmt: skip

NOTATION = {
    r: "rank of a flat start",
    X: "its left singular vectors",
    Y: "its right singular vectors",
    scale: "its singular value",
    p_squared: "|Y'U|^2 at the start",
    q_squared: "|V X|^2 at the start",
    tau: "integral of the error over time",
}


def _core(core_driven, core_read):
    flat = {W: scale * X * Y.T}
    for lag in STEPS_TRIED:
        at = {k: lag}
        for name, claim in (("driven", core_driven), ("read", core_read)):
            found = unrolled(T16.claims[name].xreplace(flat), at)
            yield coefficients(found - unrolled(claim, at))


def _overlap(core_overlap):
    # p = Y'U, q' = X'V' follow p' = s q, q' = s p: (p q)' = s (|p|^2 + |q|^2), and both squares
    # rise by 2 s p q.
    yield sp.diff(core_overlap, tau, 2) - (2 * scale) ** 2 * core_overlap
    yield core_overlap.subs(tau, 0)
    yield sp.diff(core_overlap, tau).subs(tau, 0) - scale * (p_squared + q_squared)


def _climb(low_rank_climb, low_rank_W_squared, core_overlap, law_cumulant_3,
           spectrum_cumulant_1, spectrum_cumulant_2):  # fmt: skip
    # s = g sqrt(nu); random ends have shares 1/nu of their squares in X and Y.
    share = {scale: g * sqrt(nu), p_squared: x / nu, q_squared: y / nu}
    yield low_rank_climb - (scale * core_overlap).subs(share) - x * y * tau
    # Every order of the series, leading in nu, up to tau^5.
    law = dict(
        zip(CUMULANTS, (spectrum_cumulant_1, spectrum_cumulant_2, law_cumulant_3), strict=False)
    )
    path = climb(1, 5)
    driven = path.powers(path.U, 1)[1]
    expanded = sp.expand(sp.series(low_rank_climb, tau, 0, 6).removeO())
    squares = sp.expand(low_rank_W_squared)
    yield squares.coeff(tau, 0)
    for order in (1, 3, 5):
        response = sp.expand(path.product(path.V, driven, order).subs(law))
        power = order // 2
        claimed = expanded.coeff(tau, order)
        # At first order all of it, then the highest power of nu.
        rest = response - claimed
        yield rest if order < 2 else sp.expand(rest).coeff(nu, power)
        # |W - W(0)|^2 is the first term: the others have too few powers of nu.
        change = sp.expand(path.change_squared(order + 1).subs(law))
        yield change.coeff(nu, power) - squares.coeff(tau, order + 1).coeff(nu, power)


def _slope(low_rank_climb, low_rank_slope):
    yield sp.diff(low_rank_climb, nu) - low_rank_slope
    z = sp.Symbol("z", positive=True)
    # z cosh z - sinh z has the derivative z sinh z > 0 and starts at 0.
    rise = low_rank_slope.subs(tau, z / (2 * g * sqrt(nu)))
    yield sp.diff(rise, z) - g * (x + y) / (4 * nu ** sp.Rational(3, 2)) * z * sinh(z)


STEPS = (
    Step(
        ("core_driven", "core_read"),
        "A flat start of rank r: what the network remembers beyond one step is the core s Y'X, "
        "r x r. For random singular vectors it is a Gaussian matrix of gain g, whatever N: at "
        "rank 1 one number, small by chance. A task at lag 1 does not meet it. Lags 1 to 4.",
        Zero(_core),
    ),
    Step(
        ("core_overlap",),
        "A task at lag 1, in its own time tau: U in Y and V in X drive each other at the rate s. "
        "Random ends start with p q = 0.",
        Substitution(_overlap, equation="(p q)'' = 4 s^2 p q"),
    ),
    Step(
        ("low_rank_climb", "low_rank_W_squared"),
        "With s = g sqrt(nu) and the rest of U and V at rest: F_1 at large nu for tasks of size "
        "1/sqrt(nu), to all orders, up to 1 + O(1/nu). Compared with the series of the typical "
        "start up to tau^5 (every power of tau, leading in nu). tau solves F_1 = s.",
        Zero(_climb),
    ),
    Step(
        ("low_rank_slope",),
        "Its slope in nu is positive: the lower the rank, the sooner F_1 = s and the less W has "
        "moved. So at lag 1 a typical start has no rank of least weight change but the lowest.",
        Zero(_slope),
    ),
)
