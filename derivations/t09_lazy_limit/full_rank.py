"""T9, fourth part: of equally strong outputs, no rank is lazier on average than the full one."""

from __future__ import annotations

import sympy as sp
from sympy import sqrt

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.t06_flat_low_rank.symbols import alpha, d, m, mu, r, s
from derivations.t07_random_tasks import DERIVATION as T7
from derivations.t09_lazy_limit.symbols import f, u

__all__ = ["FORMULAS", "NOTATION", "STEPS"]

p, q, k = sp.symbols("p q k", nonnegative=True)

NOTATION = {
    m: "number of outputs, all of strength g",
    p: "any number >= 0",
    q: "any number >= 0",
    k: "any number >= 0",
}

FORMULAS = {
    "mean_kernel_alignment_equal_outputs": (m * r / d + (1 - u) * (r - m) + r * u)
    * sqrt(m)
    / (sqrt(r) * sqrt(m * (m + (1 - u) ** 2 * (r - m)) + 2 * m * u * (m + (1 - u) * (r - m))
                      + d * m * u**2)),
    "covering_readout_share_full": 1 / (1 + p) ** 2,
    "covering_readout_share": 1 / ((1 + p) ** 2 * (1 + q) ** 2),
    "covering_rank": m + k,
    "covering_inputs": (m + k)
    * ((1 + p) ** 2 * (1 + q) ** 2 - 1)
    / ((1 + q) * ((1 + p) ** 2 - 1)),
}  # fmt: skip


def _equal_outputs(mean_kernel_alignment_equal_outputs):
    named = T7.symbols
    # n = m modes learned, all with the same mu and alpha; s^2 = mu^2 - alpha^2 = (1 - u) mu^2
    size = {"P_1": m * mu**2, "P_2": m * mu**4, "A_1": m * alpha**2, "A_2": m * alpha**4}
    alike = {named[name]: value for name, value in size.items()} | {named["n"]: m}
    mean = T7.formulas["mean_kernel_alignment_outputs"].subs(alike)
    mean = mean.subs({s: mu * sqrt(1 - u), alpha: mu * sqrt(u)})
    square = mean**2 - mean_kernel_alignment_equal_outputs**2
    one = {m: 1, mu: 1, r: 2, d: 3, u: sp.Rational(1, 2)}
    return [sp.cancel(square), sp.sign(mean_kernel_alignment_equal_outputs.subs(one)) - 1]


def _largest_at_full_rank(
    scale_of_share,
    mean_kernel_alignment_equal_outputs,
    covering_readout_share_full,
    covering_readout_share,
    covering_rank,
    covering_inputs,
):
    low = {u: covering_readout_share, r: covering_rank}
    full = {u: covering_readout_share_full, r: covering_inputs}
    yield scale_of_share.subs(low) - scale_of_share.subs(full)  # one sigma
    # the lead of the full rank, over squared norms
    (top, bottom), (top_full, bottom_full) = (
        sp.fraction(mean_kernel_alignment_equal_outputs.subs(at) ** 2) for at in ({}, {u: f, r: d})
    )
    lead = sp.fraction(sp.together(top_full * bottom - top * bottom_full))[0]
    # in the roots of the shares, of which both sides have a factor of their distance
    near, far = sp.symbols("near far", positive=True)
    inputs = r * near * (1 - far**2) / (far * (1 - near**2))
    shares = {f: near**2, u: far**2, d: inputs}
    factors = sp.factor_list(sp.fraction(sp.together(lead.subs(shares, simultaneous=True)))[0])
    above = sp.Symbol("above", nonnegative=True)
    covered = {near: sqrt(covering_readout_share_full), far: sqrt(covering_readout_share)}
    yield inputs.subs(covered | {r: covering_rank}) - covering_inputs
    covered |= {r: covering_rank, m: 1 + above}
    sign = sp.sign(factors[0])
    for factor, power in factors[1]:
        found = sp.fraction(sp.together(factor.subs(covered, simultaneous=True).subs(m, 1 + above)))
        signs = {sp.sign(x) for x in sp.Poly(found[0], p, q, k, above).coeffs()}
        yield sp.Integer(len(signs) - 1)
        sign *= signs.pop() ** power
    yield sign - 1


STEPS = (
    Step(
        ("mean_kernel_alignment_equal_outputs",),
        "T7 where all m outputs have strength g and r >= m: every mode has the share u.",
        Zero(_equal_outputs),
    ),
    Step(
        (
            "covering_readout_share_full",
            "covering_readout_share",
            "covering_rank",
            "covering_inputs",
        ),
        "E KA is largest at full rank, at every scale: with these, p > 0 and q, k >= 0 run "
        "through all scales and all real ranks m <= r <= d. Then E KA^2 at full rank minus that at "
        "r, times the norms, is a rational function of p, q, k and m - 1 whose coefficients all "
        "have one sign, and 0 only where q = 0: at r = d.",
        Zero(_largest_at_full_rank),
    ),
)
