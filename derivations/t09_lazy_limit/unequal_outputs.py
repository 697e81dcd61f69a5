"""T9, fifth part: with outputs of unequal strength a low rank can be lazier than the full one."""

from __future__ import annotations

import sympy as sp
from sympy import Rational, sqrt

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.t06_flat_low_rank import DERIVATION as T6
from derivations.t06_flat_low_rank.symbols import d, g, m, r, s, sigma
from derivations.t07_random_tasks import DERIVATION as T7
from derivations.t07_random_tasks import n
from derivations.t09_lazy_limit.symbols import part, w
from derivations.t09_lazy_limit.unequal_symbols import (
    G1,
    G2,
    G4,
    b1,
    b2,
    bottom,
    closing,
    even,
    leading,
    pull,
    rich,
    small,
    summed,
    tau,
    top,
    top_root,
    v,
)  # fmt: skip

__all__ = ["FORMULAS", "STEPS"]

_x, _y = sp.symbols("x_i x_j", positive=True)
_e = 1 - r / d
_NORM = m * (r * s**4 + 2 * s**2 * b1 + b2) + 2 * b1 * (r * s**2 + b1) + d * b2
_ALIGNED = d / n - r / m + m / n - m * r / d**2
_REACH = part * ((1 - even) * (1 + part + part**2) - even * part**3)

FORMULAS = {
    "mean_kernel_alignment_outputs": (m * s**2 * (r - n * _e) + r * b1 * (1 + m / d))
    / (sqrt(m) * sqrt(r) * sqrt(_NORM)),
    "strength_gap": m * b2 - b1**2,
    "mean_kernel_deficit_outputs": (
        m * n * s**4 * _e * (2 - n * _e / r)
        + 2 * b1 * _e * (s**2 * (m + n + m * n / d) + b1)
        + (d + m) * (b2 - b1**2 / n)
        + b1**2 * _ALIGNED
    )
    / _NORM,
    "mean_kernel_deficit_outputs_full": (
        d**2 * (m * b2 - b1**2) + m**2 * (d * b2 - b1**2)
    )
    / (m * d * (m * (d * s**4 + 2 * s**2 * b1 + b2) + 2 * b1 * (d * s**2 + b1) + d * b2)),
    "kernel_deficit_many_inputs": (m * b2 - part * b1**2)
    / (m * (part * (m * s**4 + 2 * s**2 * b1) + b2)),
    "readout_sum_lazy": G2 / s**2,
    "readout_square_sum_lazy": G4 / s**4,
    "kernel_pull": d * G4 / (m * sigma**8),
    "mean_kernel_fixed_rank": (1 - n / r) / sqrt(1 + pull * r**3),
    "best_rank_pull": 2 * n / (r**3 * (3 * r - 5 * n)),
    "mean_kernel_best_squared": (r - n) * (3 * r - 5 * n) / (3 * r**2),
    "kernel_full_rich_outputs": G1 / (sqrt(m) * sqrt(G2)),
    "window_low_rank": 5 * n / (4 - sqrt(1 + 15 * rich**2)),
    "window_low_scale": (d * G4 * bottom**3 * (3 * bottom - 5 * n) / (2 * m * n))
    ** Rational(1, 4),
    "kernel_deficit_between": n / r + pull * r**3 / 2,
    "best_rank_between": (2 * n / (3 * pull)) ** Rational(1, 4),
    "kernel_deficit_best_between": Rational(4, 3) * n * (3 * pull / (2 * n)) ** Rational(1, 4),
    "kernel_deficit_high": n * (1 - part) / part
    + part**3 * (m * G4 - part * G2**2) / (2 * m**2 * tau**4),
    "strength_evenness": G2**2 / (m * G4),
    "window_high_reach": _REACH,
    "window_high_root": (
        Rational(19, 27)
        + 2 * even / (1 - even)
        + sqrt((Rational(19, 27) + 2 * even / (1 - even)) ** 2 + Rational(125, 729))
    )
    ** Rational(1, 3),
    "window_high_share": 1 / (top_root - Rational(5, 9) / top_root - Rational(2, 3)),
    "window_high_scale": d ** Rational(5, 4)
    * (G4 * _REACH.subs(part, top) / (2 * m * n)) ** Rational(1, 4),
    "window_high_scale_uneven": d ** Rational(5, 4)
    * (G4 * (3 - 4 * even) / (2 * m * n)) ** Rational(1, 4),
    "kernel_deficit_nearly_equal": 2 * v * w**2 / (1 + w) ** 2,
    "window_edge_variance": Rational(2, 3)
    * Rational(3, 2) ** Rational(1, 4)
    * (m / d) ** Rational(3, 4)
    * (1 + w) ** 2
    / (w ** Rational(3, 2) * (1 - w)),
    "closing_share": 2 * sqrt(3) - 3,
    "closing_variance": Rational(2, 3)
    * Rational(3, 2) ** Rational(1, 4)
    * (m / d) ** Rational(3, 4)
    * (1 + closing) ** 2
    / (closing ** Rational(3, 2) * (1 - closing)),
    "closing_scale": d * g * (1 - closing) / sqrt(closing),
}  # fmt: skip


def _exact(
    mean_kernel_alignment_outputs, mean_kernel_deficit_outputs, mean_kernel_deficit_outputs_full
):
    named, sums = T7.symbols, (n, b1, b2)
    known = {
        "P_1": summed(s**2 + _x, sums, _x),
        "P_2": summed((s**2 + _x) ** 2, sums, _x),
        "A_1": b1,
        "A_2": b2,
    }
    mean = T7.formulas["mean_kernel_alignment_outputs"]
    mean = mean.subs({named[name]: value for name, value in known.items()})
    one = {m: 1, n: 1, s: 1, b1: 1, b2: 1, r: 2, d: 3}
    return [
        sp.cancel(mean**2 - mean_kernel_alignment_outputs**2),
        sp.sign(mean_kernel_alignment_outputs.subs(one)) - 1,
        sp.cancel(1 - mean_kernel_alignment_outputs**2 - mean_kernel_deficit_outputs),
        sp.cancel(mean_kernel_deficit_outputs.subs(r, d) - mean_kernel_deficit_outputs_full),
    ]


def _gap(strength_gap):
    return strength_gap - summed((_x - _y) ** 2 / 2, (m, b1, b2), _x, _y)


def _many(mean_kernel_deficit_outputs, kernel_deficit_many_inputs):
    # s^2 = sigma^2/r stays of order 1
    exact = mean_kernel_deficit_outputs.subs({r: part * d}, simultaneous=True).subs(d, 1 / small)
    return leading(exact, 0) - kernel_deficit_many_inputs


def _lazy_sums(readout_sum_lazy, readout_square_sum_lazy):
    start = sp.Symbol("s_squared", positive=True)
    alpha_squared = sp.simplify(T6.claims["alpha"].subs(sigma, sqrt(start * r)) ** 2)
    series = sp.series(alpha_squared.subs(start, 1 / small), small, 0, 4).removeO()
    # and the next order, of small^3, is g^4/s^6
    sums = {1: (readout_sum_lazy, G2), 2: (readout_square_sum_lazy, G4)}
    for power, (claim, total) in sums.items():
        found = sp.expand(series**power)
        yield [found.coeff(small, k) for k in range(power)]
        yield found.coeff(small, power + 1)
        yield found.coeff(small, power) * total / g ** (2 * power) - claim * s ** (2 * power)


def _lazy(exact, start, readout_sum_lazy, readout_square_sum_lazy):
    """An exact mean where s^2 = start/small is large, with the next orders of the sums."""
    next1, next2 = sp.symbols("next_1 next_2", positive=True)
    sums = {
        b1: readout_sum_lazy + next1 / s**6,
        b2: readout_square_sum_lazy + next2 / s**8,
    }
    return exact.subs(sums, simultaneous=True).subs(s, sqrt(start / small))


def _fixed(
    mean_kernel_deficit_outputs,
    readout_sum_lazy,
    readout_square_sum_lazy,
    kernel_pull,
    mean_kernel_fixed_rank,
):
    scale = sp.Symbol("scale", positive=True)  # sigma^2/d^(1/4)
    exact = _lazy(mean_kernel_deficit_outputs, scale / r, readout_sum_lazy, readout_square_sum_lazy)
    deficit = leading(exact.subs(d, small**-4), 0)
    at = kernel_pull.subs(sigma, sqrt(scale / small)).subs(d, small**-4)
    return [
        sp.cancel(1 - deficit - mean_kernel_fixed_rank.subs(pull, at) ** 2),
        sp.sign(mean_kernel_fixed_rank.subs({n: 1, r: 2, pull: 1})) - 1,
    ]


def _best(mean_kernel_fixed_rank, best_rank_pull, mean_kernel_best_squared):
    square = mean_kernel_fixed_rank**2
    return [
        sp.cancel(square.diff(r).subs(pull, best_rank_pull)),
        sp.cancel(square.subs(pull, best_rank_pull) - mean_kernel_best_squared),
    ]


def _rich(mean_kernel_deficit_outputs_full, kernel_full_rich_outputs):
    # sigma^2/d -> 0, where b_i -> g_i
    exact = mean_kernel_deficit_outputs_full.subs({b1: G1, b2: G2, s: small, d: small**-2})
    return [
        sp.cancel(1 - leading(exact, 0) - kernel_full_rich_outputs**2),
        sp.sign(kernel_full_rich_outputs) - 1,
    ]


def _low(
    kernel_pull, best_rank_pull, mean_kernel_best_squared, window_low_rank, window_low_scale
):  # fmt: skip
    value = mean_kernel_best_squared.subs(r, window_low_rank)
    ratio = kernel_pull.subs(sigma, sqrt(window_low_scale)) / best_rank_pull.subs(r, bottom)
    one = {rich: Rational(1, 2), n: 1}
    return [
        sp.simplify(value - rich**2),
        sp.sign(sp.N(window_low_rank.subs(one) - Rational(5, 3))) - 1,
        sp.simplify(ratio) - 1,
        sp.sign(window_low_scale.subs({d: 1, G4: 1, bottom: 2, n: 1, m: 1})) - 1,
    ]


def _between(
    mean_kernel_fixed_rank, kernel_deficit_between, best_rank_between, kernel_deficit_best_between
):
    # n/r and q r^3 both small: first order in both
    near = mean_kernel_fixed_rank.subs({n: n * small, pull: pull * small}, simultaneous=True)
    return [
        near.subs(small, 0) - 1,
        near.diff(small).subs(small, 0) + kernel_deficit_between,
        kernel_deficit_between.diff(r).subs(r, best_rank_between),
        sp.sign(best_rank_between) - 1,
        kernel_deficit_between.subs(r, best_rank_between) - kernel_deficit_best_between,
    ]


def _high(
    mean_kernel_deficit_outputs, readout_sum_lazy, readout_square_sum_lazy, kernel_deficit_high
):
    exact = _lazy(
        mean_kernel_deficit_outputs, tau / part, readout_sum_lazy, readout_square_sum_lazy
    )
    near = exact.subs({r: part / small**4, d: small**-4}, simultaneous=True)
    # 1 - KA is half of 1 - KA^2 to this order, small^4 = 1/d
    return leading(near, 4) / 2 - kernel_deficit_high


def _reach(kernel_deficit_high, strength_evenness, window_high_reach):
    less = kernel_deficit_high.subs(part, 1) - kernel_deficit_high
    reach = window_high_reach.subs(even, strength_evenness)
    factor = n * (1 - part) / part
    return sp.cancel(less / factor - (G4 * reach / (2 * m * n * tau**4) - 1))


def _top(
    window_high_reach,
    window_high_root,
    window_high_share,
    window_high_scale,
    window_high_scale_uneven,
):
    # the slope, with the cube of the root reduced
    slope = sp.together(window_high_reach.diff(part).subs(part, window_high_share))
    cube = sp.Symbol("cube")
    powers = sp.Poly(sp.fraction(slope)[0], top_root).terms()
    reduced = sum(x * top_root ** (k % 3) * cube ** (k // 3) for (k,), x in powers)
    yield sp.simplify(reduced.subs(cube, window_high_root**3))
    half = {even: Rational(1, 2)}
    yield sp.sign(sp.N(window_high_root.subs(half))) - 1
    # at the share 1 the slope vanishes for an evenness of 3/5
    yield window_high_reach.diff(part).subs({part: 1, even: Rational(3, 5)})
    yield sp.sign(window_high_reach.diff(part).subs({part: 1, even: Rational(1, 2)})) - 1
    for scale, share in ((window_high_scale, top), (window_high_scale_uneven, 1)):
        reach = window_high_reach.subs(part, share)
        yield sp.simplify((scale / d ** Rational(5, 4)) ** 4 - G4 * reach / (2 * m * n))
        yield sp.sign(scale.subs({d: 1, G4: 1, m: 1, n: 1, top: 1, **half})) - 1


def _nearly_equal(kernel_deficit_many_inputs, strength_gap, kernel_deficit_nearly_equal):
    # At r = d the deficit is the gap over m^2 mu^4, halved for KA itself; w is u there.
    start = g * (1 - w) / sqrt(w)
    strength = sp.Symbol("strength", positive=True)
    alpha_squared = (sqrt(start**2 + 4 * strength**2) - start) / 2
    slope = (alpha_squared.diff(strength) * strength).subs(strength, g)
    alike = {b1: m * g * sqrt(w), b2: m * g**2 * w, s: sqrt(start)}
    full = kernel_deficit_many_inputs.subs(part, 1)
    size = sp.fraction(sp.together(full))
    yield sp.cancel(sp.expand(full * size[1]) / strength_gap) - 1
    # over the pairs, of relative strengths of mean 0 and variance v
    pairs = summed((_x - _y) ** 2 / 2, (m, 0, m * v), _x, _y)
    half = slope**2 * pairs / size[1].subs(alike) / 2
    yield sp.simplify(half.subs(w, small**2) - kernel_deficit_nearly_equal.subs(w, small**2))
    alike = alpha_squared.subs(strength, g) - g * sqrt(w)
    yield sp.simplify(sp.factor(sp.expand(alike.subs(w, small**2)), deep=True))


def _closing(
    scale_of_share,
    kernel_pull,
    kernel_deficit_best_between,
    kernel_deficit_nearly_equal,
    window_edge_variance,
    closing_share,
    closing_variance,
    closing_scale,
):
    scale = scale_of_share.subs({r: d}) * g  # sigma^2
    other = next(x for x in scale.free_symbols - {d, g})
    equal = kernel_pull.subs({G4: m * g**4, sigma: sqrt(scale.subs(other, w))})
    low = kernel_deficit_best_between.subs({pull: equal, n: m})
    ratio = low / kernel_deficit_nearly_equal.subs(v, window_edge_variance)
    inside = {w: small**2 / (1 + small**2)}  # any value between 0 and 1
    yield sp.simplify(sp.powdenest(ratio.subs(inside) ** 4, force=True)) - 1
    yield sp.sign(sp.N(window_edge_variance.subs({w: Rational(1, 2), m: 1, d: 1}))) - 1
    log_slope = sp.cancel(sp.together(sp.diff(sp.log(window_edge_variance), w)))
    yield sp.simplify(log_slope.subs(w, closing_share))
    yield sp.sign(sp.N(closing_share * (1 - closing_share), 30)) - 1
    yield closing_variance - window_edge_variance.subs(w, closing)
    yield closing_scale - scale.subs(other, closing)


STEPS = (
    Step(
        (
            "mean_kernel_alignment_outputs",
            "mean_kernel_deficit_outputs",
            "mean_kernel_deficit_outputs_full",
        ),
        "m outputs with n modes learned: the mean of T7, its sums written with mu_i^2 = s^2 + b_i; "
        "then 1 - (E KA)^2, in terms none of which is negative, and the same at r = d. Exact.",
        Zero(_exact),
    ),
    Step(
        ("strength_gap",),
        "The sum over pairs of outputs of (b_i - b_j)^2, by Cauchy and Schwarz >= 0 and zero only "
        "for equal strengths. For many inputs it is what the full rank loses.",
        Zero(_gap),
    ),
    Step(
        ("kernel_deficit_many_inputs",),
        "1 - (E KA)^2 as d -> oo with r = rho d and s^2 kept. At rho = 1 it is the gap above over "
        "m^2 s^4 + 2 m s^2 b_1 + m b_2. As rho -> 0 at fixed sigma it vanishes, since s^2 grows: "
        "where sigma^2 is of the order of d, a low rank is lazier as soon as strengths differ.",
        Zero(_many),
    ),
    Step(
        ("readout_sum_lazy", "readout_square_sum_lazy"),
        "b_1 and b_2 for s^2 much larger than the strengths; the next order has another g_i^2/s^4.",
        Zero(_lazy_sums),
    ),
    Step(
        ("kernel_pull", "mean_kernel_fixed_rank"),
        "E KA as d -> oo at fixed r with sigma^2 of order d^(1/4). The readout's part of the "
        "kernel pulls it down by q r^3.",
        Zero(_fixed),
    ),
    Step(
        ("best_rank_pull", "mean_kernel_best_squared"),
        "Its largest value over real ranks: each r > 5n/3 is the best at one scale, lower ones at "
        "none. (E KA)^2 there.",
        Zero(_best),
    ),
    Step(
        ("kernel_full_rich_outputs",),
        "Of the full rank as d -> oo, sigma^2/d -> 0: 1 only for equal strengths, of all outputs.",
        Zero(_rich),
    ),
    Step(
        ("window_low_rank", "window_low_scale"),
        "Lower end of the window: the rank that first reaches the full one, and sigma^2 "
        "there, of order d^(1/4). Leading order in d, for real ranks.",
        Zero(_low),
    ),
    Step(
        ("kernel_deficit_between", "best_rank_between", "kernel_deficit_best_between"),
        "1 - E KA well above that end: the share n/r of the start that the task takes over, and "
        "the readout's part. The best rank grows like sigma^2/d^(1/4).",
        Zero(_between),
    ),
    Step(
        ("kernel_deficit_high",),
        "d (1 - E KA) as d -> oo with sigma^2 = tau d^(5/4), r = rho d.",
        Zero(_high),
    ),
    Step(
        ("strength_evenness", "window_high_reach"),
        "The rank rho d loses n (1 - rho)/rho times 1 - G_4 reach/(2 m n tau^4) more than the full "
        "one: it is lazier exactly if tau^4 is below G_4 reach/(2 m n).",
        Zero(_reach),
    ),
    Step(
        (
            "window_high_root",
            "window_high_share",
            "window_high_scale",
            "window_high_scale_uneven",
        ),
        "Upper end of the window: the largest reach, sigma^2 of order d^(5/4). For an evenness "
        "above 3/5 it lies inside, at the real root (Cardano) of a cubic in 1/rho that has only "
        "one; else at rho = 1 itself, with the second formula. Evenness 1 leaves no window.",
        Zero(_top),
    ),
    Step(
        ("kernel_deficit_nearly_equal",),
        "1 - E KA of the full rank as d -> oo for strengths of mean g and a small relative "
        "variance v, none of them 0, to first order in v. w is the u of the full rank.",
        Zero(_nearly_equal),
    ),
    Step(
        ("window_edge_variance", "closing_share", "closing_variance", "closing_scale"),
        "Equal to what the best low rank loses: the variance at which sigma^2 = d g (1 - w)/"
        "sqrt(w) is an end of the window. Below its minimum there is none: outputs whose strengths "
        "differ by less, relatively, than 3.055 (m/d)^(3/8), are learned most lazily at full rank, "
        "whatever sigma. The window closes at sigma^2 = 0.787 d g. Leading order in d.",
        Zero(_closing),
    ),
)
