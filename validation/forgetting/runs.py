"""Networks trained on task A, then B, then C, by plain descent and by `richlazy.sequence` (T12).

Three kinds of starts and tasks, all tasks of strength 1:

- silent: a flat start with a silent readout, one output, white inputs;
- balanced: a lambda-balanced start whose readout is not silent, two outputs, white inputs;
- inputs: a flat start with a silent readout, one output, and tasks that see half of the input
  directions each.

The overlap of A and B is the cosine of the two tasks, in the kind "inputs" that of every principal
angle between the directions they see; C is independent of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from richlazy.laziness import Traces, from_traces
from validation.simulation.starts import directions, flat
from validation.steps import FINER, extrapolated, steps_per_unit
from validation.study import Arrays, Case

__all__ = [
    "FULL",
    "KINDS",
    "QUANTITIES",
    "QUICK",
    "STAGES",
    "Grid",
    "Simulation",
    "at",
    "cases",
    "gathered",
    "simulate",
    "start_of",
    "tasks_of",
]

Array = NDArray[np.float64]

KINDS = ("silent", "balanced", "inputs")
STAGES = "ABC"
#: Of every stage; losses and forgetting are those of each task at its end.
QUANTITIES = ("kernel_alignment", "weight_change", "path_length", "change_since_start")
QUANTITIES += tuple(f"{what}_{task}" for what in ("loss", "forgetting") for task in STAGES)
_SHARE = 0.3  # of the squared norm of a balanced start, in its readout


@dataclass(frozen=True)
class Grid:
    """Every stage lasts as long; runs take the overlaps in turn, and the first ones are compared.

    Tasks are the same for every rank, norm and duration.
    """

    inputs: int
    hidden: int
    ranks: tuple[int, ...]
    norms: tuple[float, ...]
    durations: tuple[int, ...]
    overlaps: tuple[float, ...]
    runs: int
    compared: int
    fineness: int = 100  #: the largest step is 2/sharpness over this

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells: kinds, norms, durations, ranks."""
        return len(KINDS), len(self.norms), len(self.durations), len(self.ranks)


FULL = Grid(
    inputs=10,
    hidden=12,
    ranks=(1, 2, 3, 5, 10),
    norms=(0.5, 1.5, 3.0),
    durations=(3, 24),
    overlaps=(0.0, 0.5, 0.9),
    runs=48,
    compared=6,
)
QUICK = Grid(
    inputs=6,
    hidden=7,
    ranks=(1, 6),
    norms=(0.5, 2.0),
    durations=(2, 12),
    overlaps=(0.0, 0.5),
    runs=16,
    compared=2,
)


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each kind, norm, duration and rank."""
    common = asdict(grid) | {"seed": seed}
    cells = product(KINDS, grid.norms, grid.durations, grid.ranks)
    names = ("kind", "norm", "duration", "rank")
    return [common | dict(zip(names, cell, strict=True)) for cell in cells]


def start_of(case: Case) -> tuple[Array, Array]:
    """W1 (runs, hidden, inputs) and W2 (runs, outputs, hidden)."""
    kind, rank, n = KINDS.index(case["kind"]), case["rank"], case["runs"]
    rng = np.random.default_rng([case["seed"], kind, rank])
    right = directions(rng, n, case["inputs"], rank)
    # spare hidden units are silent to the last bit: rounding would grow there like e^t, and learn
    left = np.zeros((n, case["hidden"], rank))
    left[:, :rank] = directions(rng, n, rank, rank)
    if case["kind"] != "balanced":
        return flat(left, right, case["norm"]), np.zeros((n, 1, case["hidden"]))
    inner = rng.standard_normal((n, 2, rank))
    inner *= case["norm"] * np.sqrt(_SHARE) / _norm(inner)[:, None, None]
    # W1 W1' = W2'W2 - lambda I, on the active hidden units
    values, vectors = np.linalg.eigh(inner.mT @ inner)
    lam = -(1.0 - 2.0 * _SHARE) * case["norm"] ** 2 / rank
    square_root = (vectors * np.sqrt(values - lam)[:, None, :]) @ vectors.mT
    return left @ square_root @ right.mT, inner @ left.mT


def tasks_of(case: Case) -> tuple[Array, Array]:
    """cov_yx (tasks, runs, outputs, inputs) and cov_xx (tasks, runs, inputs, inputs)."""
    d, n = case["inputs"], case["runs"]
    m = 2 if case["kind"] == "balanced" else 1
    rng = np.random.default_rng([case["seed"], KINDS.index(case["kind"]), 0])
    overlap = np.resize(case["overlaps"], n)[:, None, None]
    beside = np.sqrt(1.0 - overlap**2)
    if case["kind"] != "inputs":
        a, b, c = (_unit(rng.standard_normal((n, m, d))) for _ in STAGES)
        b = _unit(b - np.sum(a * b, axis=(1, 2), keepdims=True) * a)
        return np.stack([a, overlap * a + beside * b, c]), np.broadcast_to(np.eye(d), (3, n, d, d))
    half = d // 2
    frame, other = (directions(rng, n, d, k) for k in (2 * half, half))
    seen_a, rest = frame[..., :half], frame[..., half:]
    seen = np.stack([seen_a, overlap * seen_a + beside * rest, other])
    inner = np.stack([_unit(rng.standard_normal((n, 1, half))) for _ in STAGES])
    return inner @ seen.mT, seen @ seen.mT


def simulate(case: Case) -> Arrays:
    """Stages of descent with each step; `values` (steps, stages, quantities, runs)."""
    first, readout = start_of(case)
    yx, xx = tasks_of(case)
    per_unit = steps_per_unit(first, readout, yx[0], case["fineness"])
    values = []
    for factor in FINER:
        frequency = per_unit * factor
        w1, w2, stages = first, readout, []
        for k in range(len(STAGES)):
            before = w1, w2
            w1, w2, length = _trained(
                w1, w2, yx[k], xx[k], 1.0 / frequency, case["duration"] * frequency
            )
            losses = [0.5 * _norm(y - w2 @ w1 @ x) ** 2 for y, x in zip(yx, xx, strict=True)]
            alignment = _kernel_alignment(before, (w1, w2), xx[k])
            change, since = (
                np.hypot(_norm(w1 - v1), _norm(w2 - v2)) for v1, v2 in (before, (first, readout))
            )
            stages.append([alignment, change, length, since, *losses])
        values.append(_with_forgetting(np.array(stages)))
    start = 0.5 * _squares(yx[0] - readout @ first @ xx[0])
    return {"values": np.stack(values), "start": start, "eta": np.array(1.0 / per_unit)}


@dataclass(frozen=True)
class Simulation:
    """What descent measured and `sequence` says.

    `values` (steps, kinds, norms, durations, ranks, stages, quantities, runs), `theory` without
    the first axis and of the compared runs only; `start` (kinds, norms, durations, ranks, runs)
    the loss on A of the start; `eta` (kinds, norms, durations, ranks).
    """

    values: Array
    theory: Array
    start: Array
    eta: Array

    @property
    def found(self) -> Array:
        """Extrapolated to steps of no size."""
        return extrapolated(self.values)[1]


def gathered(grid: Grid, found: Sequence[Arrays], theory: Array) -> Simulation:
    """What all cases found, in one array each."""
    values = np.stack([part["values"] for part in found], axis=1)
    return Simulation(
        values.reshape(len(values), *grid.shape, *values.shape[2:]),
        theory.reshape(*grid.shape, *theory.shape[1:]),
        np.reshape([part["start"] for part in found], (*grid.shape, -1)),
        np.reshape([part["eta"] for part in found], grid.shape),
    )


def at(name: str) -> int:
    """Index of a quantity."""
    return QUANTITIES.index(name)


def _trained(
    first: Array, readout: Array, yx: Array, xx: Array, step: float, steps: int
) -> tuple[Array, Array, Array]:
    """Weights of n runs after plain descent, and how long their way was."""
    w1, w2, length = first.copy(), readout.copy(), np.zeros(len(first))
    white = np.array_equal(xx, np.broadcast_to(np.eye(xx.shape[-1]), xx.shape))
    times = np.multiply if yx.shape[1] == 1 else np.matmul  # BLAS is slow at outer products
    for _ in range(steps):
        function = w2 @ w1
        error = step * (yx - (function if white else function @ xx))
        change1, change2 = times(w2.mT, error), error @ w1.mT
        length += np.sqrt(_squares(change1) + _squares(change2))
        w1 += change1
        w2 += change2
    return w1, w2, length


def _with_forgetting(stages: Array) -> Array:
    """(stages, quantities, ...): losses, then what they rose by since their own stage."""
    losses = stages[:, -len(STAGES) :]
    own = np.stack([losses[k, k] for k in range(len(STAGES))])
    later = np.tril(np.ones((len(STAGES), len(STAGES))))
    rise = (losses - own) * later.reshape(later.shape + (1,) * (losses.ndim - 2))
    return np.concatenate([stages, rise], axis=1)


def _kernel_alignment(before: tuple[Array, Array], after: tuple[Array, Array], xx: Array) -> Array:
    """KA over inputs that see a subspace or all, where xx is its own square and root."""
    v1, w1 = before[0] @ xx, after[0] @ xx
    v2, w2 = before[1], after[1]
    b0, bt = (w @ w.mT for w in (v2, w2))
    traces = Traces(
        r0_rt=_squares(v1 @ w1.mT),
        r0_r0=_squares(v1 @ v1.mT),
        rt_rt=_squares(w1 @ w1.mT),
        r0=_squares(v1),
        rt=_squares(w1),
        b0_bt=np.sum(b0 * bt, axis=(1, 2)),
        b0_b0=_squares(b0),
        bt_bt=_squares(bt),
        b0=_squares(v2),
        bt=_squares(w2),
        along=np.zeros(len(w2)),  # no task is asked about
    )
    return np.asarray(from_traces(traces, _squares(xx), v2.shape[1])[1])


def _norm(x: Array) -> Array:
    """Frobenius norm of every run's matrix."""
    return np.asarray(np.sqrt(_squares(x)))


def _squares(x: Array) -> Array:
    flat = np.ascontiguousarray(x).reshape(len(x), -1)
    return np.asarray(np.vecdot(flat, flat))


def _unit(x: Array) -> Array:
    return np.asarray(x / _norm(x)[:, None, None])
