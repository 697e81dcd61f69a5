"""T9: the lazy limit of T6, the way to it, and what it says about rank."""

from __future__ import annotations

import sympy as sp
from sympy import sqrt

from derivations.frame.checks import Zero
from derivations.frame.derivation import Derivation, Step
from derivations.t06_flat_low_rank import DERIVATION as T6
from derivations.t06_flat_low_rank.symbols import P, c, d, g, r, s, sigma, uniform
from derivations.t09_lazy_limit import (
    boundaries,
    full_rank,
    rank_curves,
    unequal_outputs,
    unequal_symbols,
)
from derivations.t09_lazy_limit.symbols import NOTATION, SHORTHAND, u, x, y

__all__ = ["DERIVATION"]

FORMULAS = {
    "start_singular_value": sigma / sqrt(r),
    "squared_scale": sigma**2 / g,
    "inverse_scale": r / y,
    "readout_share": (2 * r / (y + sqrt(y**2 + 4 * r**2))) ** 2,
    "scale_of_share": r * (1 - u) / sqrt(u),
    "weight_change_squared": 2 * s**2 * (1 - sqrt(c) * sqrt(1 - u)) / (1 - u),
    "weight_change_2_squared": s**2 * u / (1 - u),
    "representation_alignment": ((r - 1) * (1 - u) + c)
    / (sqrt(r) * sqrt((r - 1) * (1 - u) ** 2 + 1)),
    "kernel_alignment": (r - 1 + u + c) / (sqrt(r) * sqrt(r * (1 - u**2) + 2 * u + (d + 1) * u**2)),
    "readout_share_lazy": x**2,
    "alignment_lazy": 1 - (1 - c) / r,
    "weight_change_lazy_squared": 2 * (1 - sqrt(c)),
    "weight_change_slope": 2 - sqrt(c),
    "representation_slope": -(r - 1) * (1 - c) / r**2,
    "kernel_slope": (1 - c) / r**2,
    "representation_deficit_aligned": (r - 1) / (2 * r**2),
    "kernel_deficit_aligned": (r * (d - r + 1) - 1) / (2 * r**2),
    "mean_alignment_lazy": 1 - 1 / r + 1 / d,
    "mean_rank_gain_lazy": 1 / (r * (r + 1)),
}


def _share(closed, squared_scale, inverse_scale, readout_share, scale_of_share):
    return [
        uniform(closed(readout_share)) - uniform(T6.claims["alpha"] ** 2 / T6.claims["mu"] ** 2),
        uniform(closed(readout_share)) - 1 / P**2,
        # the inverse: the scale at which a rank has this share
        uniform(closed(squared_scale)) - scale_of_share.subs(u, 1 / P**2),
        uniform(closed(inverse_scale)) - uniform(g / T6.claims["start_singular_value"] ** 2),
    ]


def _measures(
    start_singular_value,
    weight_change_squared,
    weight_change_2_squared,
    representation_alignment,
    kernel_alignment,
):
    pairs = {
        "start_singular_value": start_singular_value,
        "weight_change_squared_final": weight_change_squared,
        "weight_change_2_squared_final": weight_change_2_squared,
        "representation_alignment_final": representation_alignment,
        "kernel_alignment_final": kernel_alignment,
    }
    for name, formula in pairs.items():
        found = formula.subs(s, start_singular_value).subs(u, 1 / P**2)
        yield uniform(found) - uniform(T6.claims[name])
        yield sp.sign(formula.subs({r: 2, c: 1, u: sp.Rational(1, 2), d: 3})) - 1


def _expansion(readout_share, readout_share_lazy):
    # x^2 and no lower power, and nothing at x^3
    series = sp.series(readout_share.subs(y, r / x), x, 0, 4).removeO()
    return sp.expand(series - readout_share_lazy)


def _limits(
    weight_change_squared,
    representation_alignment,
    kernel_alignment,
    alignment_lazy,
    weight_change_lazy_squared,
):
    return [
        representation_alignment.subs(u, 0) - alignment_lazy,
        kernel_alignment.subs(u, 0) - alignment_lazy,
        weight_change_squared.subs(u, 0) / s**2 - weight_change_lazy_squared,
    ]


def _slopes(
    weight_change_squared,
    representation_alignment,
    kernel_alignment,
    weight_change_slope,
    representation_slope,
    kernel_slope,
):
    return [
        weight_change_squared.diff(u).subs(u, 0) / s**2 - weight_change_slope,
        representation_alignment.diff(u).subs(u, 0) - representation_slope,
        kernel_alignment.diff(u).subs(u, 0) - kernel_slope,
    ]


def _aligned(
    representation_alignment,
    kernel_alignment,
    representation_deficit_aligned,
    kernel_deficit_aligned,
):
    pairs = [
        (representation_alignment, representation_deficit_aligned),
        (kernel_alignment, kernel_deficit_aligned),
    ]
    for alignment, deficit in pairs:
        aligned = alignment.subs(c, 1)
        yield aligned.subs(u, 0) - 1
        yield aligned.diff(u).subs(u, 0)
        yield aligned.diff(u, 2).subs(u, 0) / 2 + deficit


def _means(alignment_lazy, mean_alignment_lazy, mean_rank_gain_lazy):
    return [
        alignment_lazy.subs(c, r / d) - mean_alignment_lazy,
        mean_alignment_lazy.subs(r, r + 1) - mean_alignment_lazy - mean_rank_gain_lazy,
    ]


STEPS = (
    Step(
        ("squared_scale", "inverse_scale", "readout_share", "scale_of_share"),
        "One number between 0 (lazy) and 1 (rich) holds the scale of T6 at t = oo: u = "
        "alpha^2/mu^2, the readout's share of the active direction. At fixed sigma it grows with "
        "the rank, at fixed rank it falls with sigma.",
        Zero(_share),
    ),
    Step(
        (
            "start_singular_value",
            "weight_change_squared",
            "weight_change_2_squared",
            "representation_alignment",
            "kernel_alignment",
        ),
        "The measures of T6 at t = oo, rational in u up to square roots: mu^2 = s^2/(1 - u), "
        "alpha^2 = s^2 u/(1 - u).",
        Zero(_measures),
    ),
    Step(
        ("readout_share_lazy",),
        "As sigma -> oo, x = g/s^2 -> 0 and u = x^2 + O(x^4).",
        Zero(_expansion),
    ),
    Step(
        ("alignment_lazy", "weight_change_lazy_squared"),
        "The values at u = 0: RA and KA have one limit, and |dW|^2/s^2 the other; the part of the "
        "first layer across the task decays whatever the scale, unless c = 1.",
        Zero(_limits),
    ),
    Step(
        ("weight_change_slope", "representation_slope", "kernel_slope"),
        "First order in u (of |dW|^2/s^2, RA, KA): on the way to the limit the representation is "
        "below it and the kernel above it.",
        Zero(_slopes),
    ),
    Step(
        ("representation_deficit_aligned", "kernel_deficit_aligned"),
        "At c = 1 the first order vanishes: 1 - RA and 1 - KA are these coefficients times u^2. "
        "As u = (r g/sigma^2)^2, they are r^2(r - 1)/2 and r^2(r(d - r + 1) - 1)/2 times "
        "(g/sigma^2)^4, while |dW|^2 -> r g^2/sigma^2: aligned, the lower rank is the lazier.",
        Zero(_aligned),
    ),
    Step(
        ("mean_alignment_lazy", "mean_rank_gain_lazy"),
        "Over random tasks E c = r/d (T7). The mean grows with every rank that is added.",
        Zero(_means),
    ),
)

DERIVATION = Derivation(
    id="T9",
    title="The lazy limit, and where rank and laziness part",
    assumptions=(
        "T6 at t = oo: flat start of rank r, silent readout, white inputs, one output, c > 0.",
        "Random tasks are uniform on the sphere, so E c = r/d.",
        "In derivatives with respect to the rank, r is any real number >= 1.",
        "Where d -> oo is said, sigma^2/g and r stay fixed, unless something else is kept.",
        "Several outputs, where they are named: T7 with r >= n, c_i of random modes.",
    ),
    notation=NOTATION | full_rank.NOTATION | unequal_symbols.NOTATION,
    shorthand=SHORTHAND | unequal_symbols.SHORTHAND,
    formulas=FORMULAS
    | rank_curves.FORMULAS
    | boundaries.FORMULAS
    | full_rank.FORMULAS
    | unequal_outputs.FORMULAS,
    steps=STEPS + rank_curves.STEPS + boundaries.STEPS + full_rank.STEPS + unequal_outputs.STEPS,
    sources=("This project, from T6, T7 and T8.",),
)
