"""Runs of the study `imbalance` beside what the theory says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import richlazy as rl
from richlazy import modes, riccati
from validation.comparison import Comparison, beside
from validation.simulation.deep import balance, squares
from validation.steps import extrapolated, orders
from validation.study import Arrays, Case

__all__ = ["Seen", "compared"]

Array = NDArray[np.float64]


class Seen(NamedTuple):
    """A case, what it found, that beside the theory, and what is left of what T1 conserves."""

    case: Case
    found: Arrays
    parts: dict[str, Comparison]
    kept: Array
    kept_order: float

    @property
    def networks(self) -> Comparison:
        """(measures, runs, times)."""
        return self.parts["networks" if self.case["kind"] == "shared" else "riccati"]


def _compared_modes(case: Case, found: Arrays) -> Comparison:
    """(quantities, runs, times, modes)."""
    w1, w2, q = found["w1"], found["w2"], found["variances"]
    u, r, v = (found[name][:, None] for name in "urv")
    a = np.sum((w1 @ v) * r, axis=-2)
    b = np.sum((w2 @ r) * u, axis=-2)
    a0, b0 = (found[name][:, None] for name in "ab")
    strengths, t = np.array(case["strengths"]), np.reshape(case["times"], (-1, 1))
    change = np.hypot(a - a0, b - b0)
    values = [a, b, change, q * (a * a + b * b), (strengths - q * a * b) ** 2 / (2.0 * q)]
    state = modes.state(a0, b0, strengths, t, q)
    theory = [
        *modes.trajectory(a0, b0, strengths, t, q),
        np.hypot(state.change_first, state.change_readout),
        state.kernel,
        state.loss,
    ]
    length = np.maximum(np.hypot(theory[0], theory[1]), np.hypot(a0, b0))
    kernel = np.maximum(theory[3], q * (a0 * a0 + b0 * b0))
    start = np.broadcast_to((strengths - q * a0 * b0) ** 2 / (2.0 * q), length.shape)
    scale = [length, length, theory[2], kernel, start]
    return Comparison(np.stack(values, axis=1), np.stack(theory), np.stack(scale))


def _compared_networks(case: Case, found: Arrays) -> tuple[Comparison, Array]:
    """(measures, runs, times), and the theory's drift of D at the last time."""
    method = "modes" if case["kind"] == "shared" else "riccati"
    starts = zip(found["first"], found["readout"], found["cov_yx"], strict=True)
    solutions = [
        rl.solve(rl.Network(first, readout), rl.Task(cov_yx, found.get("cov_xx")), method)
        for first, readout, cov_yx in starts
    ]
    return beside(found["measures"], solutions, case["times"])


def _compared_moments(case: Case, found: Arrays) -> Comparison:
    """(1, runs, times, d + m, d + m)."""
    q = np.concatenate([found["w1"].mT, found["w2"]], axis=-2)
    starts = zip(found["first"], found["readout"], found["cov_yx"], strict=True)
    at = np.array(case["times"], dtype=float)
    theory = np.stack([riccati.Balanced(*start).second_moment(at) for start in starts])
    scale = np.broadcast_to(np.sqrt(squares(theory))[..., None, None], theory.shape)
    return Comparison((q @ q.mT)[:, None], theory[None], scale[None])


def _kept(case: Case, found: Arrays, theory_drift: Array) -> tuple[Array, float]:
    """Distances of what is conserved, and the order of its drift in the step."""
    d = balance(found["w1"], found["w2"])
    starts = list(zip(found["first"], found["readout"], strict=True))
    theory = np.stack([rl.Network(*start).conserved for start in starts])[:, None]
    size = squares(found["w1"]) + squares(found["w2"])
    drift = np.sqrt(squares(d - theory)) / size
    limit = extrapolated(d)[1]
    off = [np.sqrt(squares(limit - theory)) / size[-1]]
    off.append(extrapolated(drift)[1][:, -1:] - theory_drift[:, None])
    if case["kind"] == "balanced":
        level = np.array([riccati.imbalance(*start)[0] for start in starts])[:, None, None, None]
        off.append(np.sqrt(squares(limit - level * np.eye(d.shape[-1]))) / size[-1])
    return np.concatenate([x.ravel() for x in off]), float(orders(drift, (1, 2)))


def compared(cases: Sequence[Case], found: Sequence[Arrays]) -> list[Seen]:
    """Descent beside the theory, case by case."""
    seen = []
    for case, part in zip(cases, found, strict=True):
        networks, drift = _compared_networks(case, part)
        if case["kind"] == "shared":
            parts = {"modes": _compared_modes(case, part), "networks": networks}
        else:
            parts = {"riccati": networks, "second moment": _compared_moments(case, part)}
        seen.append(Seen(case, part, parts, *_kept(case, part, drift)))
    return seen
