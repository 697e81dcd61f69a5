"""Averages up to O(1/PR): the participation-ratio law (T15) and the typical task (T14)."""

from __future__ import annotations

import numpy as np

from richlazy.averages.closed import by_flat_moments
from richlazy.averages.question import Question
from richlazy.averages.random_tasks import chain_of, typical_chain, typical_directions
from richlazy.averages.record import Expected, Statistic, record
from richlazy.formulas import limits
from richlazy.start import spectrum
from richlazy.start.matrices import Moments
from richlazy.two_layer.reduction.krylov import Bidiagonal
from richlazy.two_layer.routes.certificate import certified, spread_over_orders

__all__ = ["law", "typical"]

_LAW_DOMAIN = 0.02


def law(case: Question) -> Expected | str:
    """The flat start of rank PR, or what stands against it."""
    if case.outputs > 1:
        return f"needs one output; it was asked for {case.outputs}"
    g, t = case.strength, case.time
    if case.spectrum is None:
        assert case.network is not None
        moments = case.network.moments
        ratio = spectrum.participation_ratio(moments).value
        return _law(moments, ratio, case.network.inputs, g, t, None)
    s = case.spectrum
    return _law(s.moments, s.participation_ratio, s.inputs, g, t, typical_chain(s, g))


def _law(
    moments: Moments, ratio: float, inputs: int, g: float, t: float, chain: Bidiagonal | None
) -> Expected:
    """T15, k = 1, checked against k = 2 of the typical task where the spectrum is known."""
    norm = float(np.sqrt(moments.trace.value))
    law = limits.law(ratio, inputs, norm=norm, strength=g, t=t)
    columns = by_flat_moments(law, None, ratio, inputs, norm, g, t)
    if chain is None:
        accuracy = "O(1/PR); not checked against the second Krylov order (no spectrum)"
    else:
        at = np.array([t])
        chain.grow(2)
        one, two = (certified(chain.reduced(k), at)[0] for k in (1, 2))
        ka, ra, dw = (
            float(np.abs(getattr(one, name) - getattr(two, name))[0, 0])
            for name in ("kernel_alignment", "representation_alignment", "weight_change")
        )
        ka /= float(two.kernel_alignment[0, 0])
        dw /= float(two.weight_change[0, 0]) or 1.0  # at t = 0 both are 0
        inside = "inside" if max(ka, ra, dw) < _LAW_DOMAIN else "OUTSIDE"
        accuracy = (
            f"O(1/PR); orders k = 1 and k = 2 differ by {ka:.1%} in KA, {ra:.3f} in RA and "
            f"{dw:.1%} in ||dW||: {inside} the law's domain"
        )
    return record(
        columns,
        t,
        "participation-ratio law (T15)",
        ("one output", f"the start learns like a flat one of rank PR = {ratio:.4g}"),
        accuracy,
    )


def typical(case: Question) -> Expected | str:
    """The task with the same share of every right singular vector, or what stands against it."""
    if case.outputs > 1:
        return f"needs one output; it was asked for {case.outputs}"
    s, g, t = case.spectrum, case.strength, case.time
    if s is None:
        return "needs singular values, for which this matrix is too large; use 'law' or 'sample'"
    chain, begin = chain_of(s, g, typical_directions(s))
    found, reduced, gap = spread_over_orders(chain, np.array([t]), begin=begin)
    columns = [Statistic(float(v[0, 0]), None, None) for v in found]
    return record(
        columns,
        t,
        f"typical task (T14) by krylov (T15), k={reduced.problem.first.shape[1]}",
        ("one output", "every right singular vector carries the same share of the task"),
        f"O(1/PR) with PR = {s.participation_ratio:.4g}; numerical error {gap.relative:.1e}",
    )
