"""T9, second part: the rank curves of the mean alignments, their turns and peaks."""

from __future__ import annotations

import sympy as sp
from sympy import Rational, acos, cos, pi, sqrt

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.t06_flat_low_rank.symbols import c, d, r
from derivations.t09_lazy_limit.symbols import angle, critical, lazy, part, rich, root, u, w

__all__ = ["FORMULAS", "STEPS"]

_KERNEL = r * (1 + 1 / d) - 1 + u
_KERNEL_NORM = r * (1 - u**2) + 2 * u + (d + 1) * u**2
_REPRESENTATION = (r - 1) * (1 - u) + r / d
_REPRESENTATION_NORM = (r - 1) * (1 - u) ** 2 + 1

FORMULAS = {
    "mean_kernel_alignment": _KERNEL / (sqrt(r) * sqrt(_KERNEL_NORM)),
    "mean_representation_alignment": _REPRESENTATION / (sqrt(r) * sqrt(_REPRESENTATION_NORM)),
    "readout_share_rate": 2 * u * (1 - u) / (r * (1 + u)),
    "kernel_turn": 4 * u**2 * (1 - u) * (d + 1) * r**2
    + (
        d**2 * u**2 * (5 * u - 3)
        + 2 * d * (u**4 + 7 * u**3 - 6 * u**2 + u + 1)
        + u * (5 * u**2 + 3 * u - 2)
    )
    * r
    + d * u * (1 - u) * (d * u * (u + 5) + u**2 + 11 * u + 6),
    "kernel_log_slope_factor": 1 / (2 * d * r * (1 + u) * _KERNEL * _KERNEL_NORM),
    "representation_turn": 4 * u * (1 - u) ** 2 * r**2
    + (d * (1 - u) * (u**3 - u**2 - 4 * u + 2) - u * (5 * u**2 - 9 * u + 2)) * r
    + d * u * (1 - u) * (3 - u) * (2 + u),
    "representation_log_slope_factor": 1
    / (2 * d * r * (1 + u) * _REPRESENTATION * _REPRESENTATION_NORM),
    "kernel_turning_rank": (1 - w) * (5 + w) / (3 - 5 * w),
    "kernel_turning_scale": (1 - w) ** 2 * (5 + w) / (sqrt(w) * (3 - 5 * w)),
    "kernel_turning_scale_log_slope": 3
    * (5 * w**3 + 5 * w**2 + 11 * w - 5)
    / (2 * w * (1 - w) * (5 + w) * (3 - 5 * w)),
    "critical_root": (Rational(112, 135) + 56 * sqrt(15) / 225) ** Rational(1, 3),
    "critical_share": root - Rational(28, 45) / root - Rational(1, 3),
    "critical_scale": (1 - critical) ** 2 * (5 + critical) / (sqrt(critical) * (3 - 5 * critical)),
    "kernel_trough_rank_per_scale": sqrt(15) / 2,
    "kernel_turn_lazy": 4 * lazy**2 * part - 3 * lazy**2 + 2,
    "kernel_turning_part_lazy": (3 * lazy**2 - 2) / (4 * lazy**2),
    "kernel_turning_scale_lazy": (3 * lazy**2 - 2) / (4 * lazy ** Rational(5, 2)),
    "kernel_window_top": 2 * (3 * d / 10) ** Rational(5, 4),
    "representation_peak_rank": w * (3 - w) * (2 + w) / (4 * w + w**2 - w**3 - 2),
    "representation_peak_scale": sqrt(w) * (1 - w) * (3 - w) * (2 + w) / (4 * w + w**2 - w**3 - 2),
    "representation_peak_angle": (2 * pi - acos(-8 / (13 * sqrt(13)))) / 3,
    "representation_peak_share_lazy": Rational(1, 3) + 2 * sqrt(13) / 3 * cos(angle),
    "representation_turn_rich": 2 * (r**2 - rich * r + 3 * rich) / r,
    "representation_peak_rank_rich": rich / 2 * (1 - sqrt(1 - 12 / rich)),
    "representation_trough_rank_rich": rich / 2 * (1 + sqrt(1 - 12 / rich)),
    "mean_kernel_rich": sqrt(r) * (1 + 1 / d) / sqrt(d + 3),
    "mean_kernel_rich_slope": (d + 2 - r) / (r * (d + 3)) - d / (r**2 * (d + 1)),
}


def _mean_alignments(
    kernel_alignment, representation_alignment, mean_kernel_alignment, mean_representation_alignment
):
    return [
        kernel_alignment.subs(c, r / d) - mean_kernel_alignment,
        representation_alignment.subs(c, r / d) - mean_representation_alignment,
    ]


def _rate(scale_of_share, readout_share_rate):
    # sigma^2/g does not move along a rank curve
    return scale_of_share.diff(r) + scale_of_share.diff(u) * readout_share_rate


def _log_slopes(
    readout_share_rate,
    mean_kernel_alignment,
    mean_representation_alignment,
    kernel_turn,
    kernel_log_slope_factor,
    representation_turn,
    representation_log_slope_factor,
):
    pairs = [
        (mean_kernel_alignment, kernel_turn * kernel_log_slope_factor),
        (mean_representation_alignment, representation_turn * representation_log_slope_factor),
    ]
    for mean, claimed in pairs:
        square = mean**2  # rational
        slope = (square.diff(r) + square.diff(u) * readout_share_rate) / (2 * square)
        yield sp.cancel(slope - claimed)


def _leading(turn, power):
    """Coefficient of the highest power of d, which that power must be."""
    polynomial = sp.Poly(turn, d)
    return polynomial.LC() if polynomial.degree() == power else sp.S.One


def _kernel_turning(kernel_turn, scale_of_share, kernel_turning_rank, kernel_turning_scale):
    rank = {u: w, r: kernel_turning_rank}
    return [
        _leading(kernel_turn, 2).subs(rank),
        kernel_turning_scale - scale_of_share.subs(rank),
    ]


def _least_scale(kernel_turning_scale, kernel_turning_scale_log_slope):
    return sp.cancel(
        kernel_turning_scale.diff(w) / kernel_turning_scale - kernel_turning_scale_log_slope
    )


def _critical(
    kernel_turning_scale, kernel_turning_scale_log_slope, critical_root, critical_share,
    critical_scale,
):  # fmt: skip
    numerator = sp.fraction(sp.together(kernel_turning_scale_log_slope.subs(w, critical_share)))[0]
    cube = sp.Symbol("cube")
    powers = sp.Poly(sp.expand(numerator), root).terms()
    reduced = sum(x * root ** (k % 3) * cube ** (k // 3) for (k,), x in powers)
    return [
        sp.expand(reduced.subs(cube, sp.expand(critical_root**3))),
        critical_root - sp.Abs(critical_root),  # the real root
        critical_scale - kernel_turning_scale.subs(w, critical),
    ]


def _trough(kernel_turning_rank, kernel_turning_scale, kernel_trough_rank_per_scale):
    pole = sp.solve(sp.fraction(sp.together(1 / kernel_turning_rank))[0], w)
    return [
        len(pole) - 1,
        (kernel_turning_rank / kernel_turning_scale).subs(w, pole[0])
        - kernel_trough_rank_per_scale,
    ]


def _window(
    kernel_turn,
    scale_of_share,
    kernel_turn_lazy,
    kernel_turning_part_lazy,
    kernel_turning_scale_lazy,
    kernel_window_top,
):
    small = sp.Symbol("small", positive=True)  # d^(-1/4)
    near = {u: lazy * small**2, r: part / small**4, d: small**-4}
    # the polynomial is r d times this, and no larger
    turn = sp.Poly(sp.expand(small**40 * kernel_turn.subs(near, simultaneous=True) / part), small)
    (lowest,), leading = turn.terms()[-1]
    yield lowest - 32
    yield leading - kernel_turn_lazy
    yield kernel_turn_lazy.subs(part, kernel_turning_part_lazy)
    scale = sp.expand(small**5 * scale_of_share.subs(near, simultaneous=True))
    along = scale.subs(small, 0).subs(part, kernel_turning_part_lazy)
    yield along - kernel_turning_scale_lazy
    # its largest value over the curve
    widest = sqrt(Rational(10, 3))
    yield kernel_turning_scale_lazy.diff(lazy).subs(lazy, widest)
    yield kernel_window_top.subs(d, 1) - kernel_turning_scale_lazy.subs(lazy, widest)
    yield kernel_window_top / kernel_window_top.subs(d, 1) - d ** Rational(5, 4)


def _peak(representation_turn, scale_of_share, representation_peak_rank, representation_peak_scale):
    rank = {u: w, r: representation_peak_rank}
    return [
        _leading(representation_turn, 1).subs(rank),
        representation_peak_scale - scale_of_share.subs(rank),
    ]


def _peak_lazy(representation_peak_rank, representation_peak_angle, representation_peak_share_lazy):
    pole = sp.fraction(sp.together(representation_peak_rank))[1]
    cosine = sp.Symbol("cosine")
    cubic = sp.expand(pole.subs(w, representation_peak_share_lazy)).subs(cos(angle), cosine)
    # cos(3 phi) = 4 cos^3 phi - 3 cos phi
    known = sp.cos(3 * representation_peak_angle)
    share = representation_peak_share_lazy.subs(angle, representation_peak_angle)
    return [
        sp.rem(cubic, 4 * cosine**3 - 3 * cosine - known, cosine),
        sp.sign(sp.N(representation_peak_angle, 30)) - 1,
        sp.sign(sp.N(share * (1 - share), 30)) - 1,  # the root between 0 and 1
    ]


def _peak_rich(
    representation_turn,
    scale_of_share,
    representation_turn_rich,
    representation_peak_rank_rich,
    representation_trough_rank_rich,
):
    small, slope = sp.symbols("small slope", positive=True)
    # u = 1 - slope sigma^2/g + ..., and the scale itself says that the slope is 1/r
    share = 1 - slope * small
    per_rank = sp.limit(scale_of_share.subs(u, share) / small, small, 0)
    (found,) = sp.solve(per_rank - 1, slope)
    turn = sp.expand(representation_turn.subs({u: share, d: rich / small}))
    at_zero = turn.subs(small, 0).subs(slope, found)
    peak, trough = representation_peak_rank_rich, representation_trough_rank_rich
    return [
        representation_turn_rich - at_zero,
        representation_turn_rich.subs(r, peak),
        representation_turn_rich.subs(r, trough),
        sp.sign((trough - peak).subs(rich, 20)) - 1,
    ]


def _kernel_rich(scale_of_share, mean_kernel_alignment, mean_kernel_rich, mean_kernel_rich_slope):
    # u = 1 - v, sigma^2/g = r v + O(v^2)
    per_share = -scale_of_share.diff(u).subs(u, 1)
    slope = -mean_kernel_alignment.diff(u).subs(u, 1) / per_share
    return [
        mean_kernel_alignment.subs(u, 1) - mean_kernel_rich,
        slope - mean_kernel_rich * mean_kernel_rich_slope,
    ]


STEPS = (
    Step(
        ("mean_kernel_alignment", "mean_representation_alignment"),
        "RA and KA are linear in c and E c = r/d (T7): the means over random tasks. Exact.",
        Zero(_mean_alignments),
    ),
    Step(
        ("readout_share_rate",),
        "How u moves with the rank, as a real number, at fixed sigma.",
        Zero(_rate),
    ),
    Step(
        (
            "kernel_turn",
            "kernel_log_slope_factor",
            "representation_turn",
            "representation_log_slope_factor",
        ),
        "d log E KA/dr and d log E RA/dr are a polynomial, quadratic in r, times a positive "
        "factor. So a mean falls with the rank exactly where its polynomial is negative. Exact, "
        "for every d and sigma.",
        Zero(_log_slopes),
    ),
    Step(
        ("kernel_turning_rank", "kernel_turning_scale"),
        "As d -> oo the polynomial of KA is d^2 u^2 times (5u - 3) r + (1 - u)(5 + u). Its zeros, "
        "over all scales, are the curve on which u = w, 0 < w < 3/5: at the scale sigma^2/g given "
        "by w, E KA turns at the rank given by w.",
        Zero(_kernel_turning),
    ),
    Step(
        ("kernel_turning_scale_log_slope",),
        "That scale is infinite at both ends of the curve and has one minimum between, since the "
        "cubic grows with w.",
        Zero(_least_scale),
    ),
    Step(
        ("critical_root", "critical_share", "critical_scale"),
        "The minimum, by Cardano. As d -> oo, E KA grows with the rank throughout if "
        "sigma^2/g < 3.0468...; above, it has a peak at a small rank and a trough beyond it.",
        Zero(_critical),
    ),
    Step(
        ("kernel_trough_rank_per_scale",),
        "Towards w = 3/5 both grow: the trough of a large scale lies at the rank "
        "sqrt(15)/2 sigma^2/g, to leading order.",
        Zero(_trough),
    ),
    Step(
        (
            "kernel_turn_lazy",
            "kernel_turning_part_lazy",
            "kernel_turning_scale_lazy",
            "kernel_window_top",
        ),
        "The other end, as d -> oo with sigma^2/g of order d^(5/4): the turns then have u = "
        "a/sqrt(d) and r = rho d, and the polynomial of KA is r d times this. The curve of its "
        "zeros, in units of d^(5/4), has its largest scale at a = sqrt(10/3), rho = 3/5: above "
        "that scale E KA again grows with the rank throughout. Leading order in d.",
        Zero(_window),
    ),
    Step(
        ("representation_peak_rank", "representation_peak_scale"),
        "As d -> oo the polynomial of RA is d (1 - u) times "
        "(u^3 - u^2 - 4u + 2) r + u(3 - u)(2 + u): at every scale E RA peaks at one rank, from 3 "
        "(w = 1, small sigma) upwards.",
        Zero(_peak),
    ),
    Step(
        ("representation_peak_angle", "representation_peak_share_lazy"),
        "At large scales the peak keeps this u = 0.4706..., the root of its denominator, so its "
        "rank is sqrt(u)/(1 - u) = 1.296 times sigma^2/g, to leading order.",
        Zero(_peak_lazy),
    ),
    Step(
        (
            "representation_turn_rich",
            "representation_peak_rank_rich",
            "representation_trough_rank_rich",
        ),
        "As sigma -> 0 with D = d sigma^2/g and r kept, u = 1 - sigma^2/(g r) + ... and the "
        "polynomial of RA tends to this. If D > 12, E RA peaks at the smaller root (between 3 and "
        "6) and has a trough at the larger; if D < 12 it grows with the rank throughout.",
        Zero(_peak_rich),
    ),
    Step(
        ("mean_kernel_rich", "mean_kernel_rich_slope"),
        "E KA as sigma -> 0 for a flat spectrum (T8 with PR = r), and its first correction: "
        "E KA = mean_kernel_rich (1 + mean_kernel_rich_slope sigma^2/g + O(sigma^4)).",
        Zero(_kernel_rich),
    ),
)
