"""T9, third part: how well aligned a start of low rank must be to beat one of full rank."""

from __future__ import annotations

import sympy as sp
from sympy import sqrt

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.t06_flat_low_rank.symbols import c, d, r, s
from derivations.t09_lazy_limit.symbols import f, u, x, y

__all__ = ["FORMULAS", "STEPS"]

_small = sp.Symbol("small", positive=True)

FORMULAS = {
    "readout_share_full": (2 * d / (y + sqrt(y**2 + 4 * d**2))) ** 2,
    "representation_alignment_full": ((d - 1) * (1 - f) + 1)
    / (sqrt(d) * sqrt((d - 1) * (1 - f) ** 2 + 1)),
    "kernel_alignment_full": (d + f) / (sqrt(d) * sqrt(d + 2 * f + f**2)),
    "weight_change_full_squared": 2 * s**2 * r / (d * sqrt(1 - f) * (1 + sqrt(1 - f))) * f
    / sqrt(1 - f),
    "representation_boundary": sqrt(r)
    * sqrt((r - 1) * (1 - u) ** 2 + 1)
    * ((d - 1) * (1 - f) + 1)
    / (sqrt(d) * sqrt((d - 1) * (1 - f) ** 2 + 1))
    - (r - 1) * (1 - u),
    "kernel_boundary": sqrt(r)
    * sqrt(r * (1 - u**2) + 2 * u + (d + 1) * u**2)
    * (d + f)
    / (sqrt(d) * sqrt(d + 2 * f + f**2))
    - (r - 1)
    - u,
    "weight_change_boundary_cosine": (1 - (1 - u) * r * f / (d * (1 - f) * (1 + sqrt(1 - f))))
    / sqrt(1 - u),
    "representation_boundary_gap_lazy": r * (d**2 * (d - 1) - r**2 * (r - 1)) / (2 * y**4),
    "kernel_boundary_gap_lazy": r
    * (d**2 * (d - 1) - r**2 * (r * (d - r + 1) - 1))
    / (2 * y**4),
    "weight_change_boundary_gap_lazy": r * (d - r) / y**2,
}  # fmt: skip


def _full(
    closed,
    readout_share,
    readout_share_full,
    representation_alignment,
    kernel_alignment,
    weight_change_squared,
    representation_alignment_full,
    kernel_alignment_full,
    weight_change_full_squared,
):
    at_full = {r: d, c: 1, u: f}
    # s of the low-rank start is sigma/sqrt(r), of the full-rank start sigma/sqrt(d)
    smaller = {s: s * sqrt(r / d)}
    yield readout_share_full - readout_share.subs(r, d)
    yield representation_alignment_full - representation_alignment.subs(at_full)
    yield kernel_alignment_full - kernel_alignment.subs(at_full)
    change = weight_change_squared.subs(at_full).subs(smaller, simultaneous=True)
    root = sp.Symbol("root", positive=True)
    yield sp.cancel((weight_change_full_squared - change).subs(f, 1 - root**2))


def _boundaries(
    representation_alignment,
    kernel_alignment,
    weight_change_squared,
    representation_alignment_full,
    kernel_alignment_full,
    weight_change_full_squared,
    representation_boundary,
    kernel_boundary,
    weight_change_boundary_cosine,
):
    yield representation_alignment.subs(c, representation_boundary) - representation_alignment_full
    yield kernel_alignment.subs(c, kernel_boundary) - kernel_alignment_full
    cosine = sp.Symbol("cosine", positive=True)
    change = weight_change_squared.subs(sqrt(c), cosine)
    yield change.subs(cosine, weight_change_boundary_cosine) - weight_change_full_squared


def _lazy(
    readout_share_lazy,
    inverse_scale,
    representation_boundary,
    kernel_boundary,
    weight_change_boundary_cosine,
    representation_boundary_gap_lazy,
    kernel_boundary_gap_lazy,
    weight_change_boundary_gap_lazy,
):
    # u = x^2 + O(x^4), and the same at full rank: the next order of u would show beyond these.
    share = readout_share_lazy.subs(x, inverse_scale)
    near = {u: share.subs(y, 1) * _small, f: share.subs({y: 1, r: d}) * _small}
    pairs = [
        (representation_boundary, representation_boundary_gap_lazy, 2),
        (kernel_boundary, kernel_boundary_gap_lazy, 2),
        (weight_change_boundary_cosine**2, weight_change_boundary_gap_lazy, 1),
    ]
    for boundary, gap, order in pairs:
        expanded = boundary.subs(near)
        for k in range(order + 1):
            coefficient = expanded.diff(_small, k).subs(_small, 0) / sp.factorial(k)
            # powers of small are powers of 1/y^2
            wanted = {0: 1, order: -gap * y ** (2 * order)}.get(k, 0)
            yield coefficient - wanted


STEPS = (
    Step(
        (
            "readout_share_full",
            "representation_alignment_full",
            "kernel_alignment_full",
            "weight_change_full_squared",
        ),
        "The measures of a start of full rank, c = 1, at the same sigma; f is its u, and s still "
        "that of the rank r. Without subtraction where u is small.",
        Zero(_full),
    ),
    Step(
        ("representation_boundary", "kernel_boundary", "weight_change_boundary_cosine"),
        "RA and KA grow linearly in c, |dW|^2 falls linearly in sqrt(c): a start of rank r is "
        "lazier than one of full rank exactly if c (for dW: sqrt(c)) is above these. A value "
        "above 1 says that no alignment is enough, one below 0 that any is. Exact.",
        Zero(_boundaries),
    ),
    Step(
        (
            "representation_boundary_gap_lazy",
            "kernel_boundary_gap_lazy",
            "weight_change_boundary_gap_lazy",
        ),
        "As sigma -> oo the boundaries tend to c = 1; these are 1 - c to leading order. For a "
        "large layer almost perfect alignment is needed, most of all for RA and KA.",
        Zero(_lazy),
    ),
)
