"""Runs of the study `imbalance`: two layers that share modes with the task, or lambda-balanced."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from validation.simulation.deep import halved, stable_step
from validation.simulation.starts import orthonormal
from validation.study import Arrays, Case

__all__ = ["FULL", "QUICK", "Grid", "Start", "angles", "cases", "simulate"]

Array = NDArray[np.float64]

_INPUTS, _HIDDEN, _OUTPUTS = 6, 4, 4
_VARIANCES = (1.4, 1.0, 0.6)  # of the inputs along the modes, where they are not white


@dataclass(frozen=True)
class Grid:
    """What is run."""

    directions: int = 16  #: of (a, b) at the start: angles pi times multiples of 1/directions
    norms: tuple[float, ...] = (0.3, 1.0, 3.0)  #: of (a, b) at the start
    strengths: tuple[float, ...] = (1.0, 0.7, 0.4)  #: modes of one network
    shares: tuple[float, ...] = (-0.95, -0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 0.95)
    #: lambda h over ||W1||^2 + ||W2||^2, from -1, a silent readout, to 1, a silent first layer
    sizes: tuple[float, ...] = (1.0, 4.0, 16.0)  #: ||W1||^2 + ||W2||^2
    runs: int = 16  #: random alignments for each
    times: tuple[int, ...] = (1, 4, 12)
    fineness: int = 120  #: the largest step is about 2/sharpness over this


FULL = Grid()
QUICK = Grid(
    directions=8,
    norms=(0.5, 2.0),
    shares=(-0.9, -0.4, 0.0, 0.4, 0.9),
    sizes=(2.0, 8.0),
    runs=4,
    times=(1, 6),
    fineness=60,
)


def angles(directions: int) -> Array:
    """Directions of (a, b), half of all, the other half being the same but for a sign.

    The first has b = 0, the middle one a = 0, and that at 3/4 pi decays to the saddle (0, 0).
    """
    return np.pi * np.arange(directions) / directions


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each norm of modes, white or not, and for each size and lambda."""
    found: list[Case] = []
    for index, white in product(range(len(grid.norms)), (True, False)):
        found.append({"kind": "shared", "index": index, "white": white})
    for index, share in product(range(len(grid.sizes)), range(len(grid.shares))):
        found.append({"kind": "balanced", "index": index, "share": share})
    return [asdict(grid) | {"seed": seed} | case for case in found]


def simulate(case: Case) -> Arrays:
    """Runs of one case: measures, and weights at all times with all steps."""
    first, readout, cov_yx, cov_xx, more = {"shared": _shared, "balanced": _balanced}[case["kind"]](
        case
    )
    per_unit = int(np.ceil(case["fineness"] / stable_step([first, readout], cov_yx, cov_xx)))
    record = [time * per_unit for time in case["times"]]
    measures, (w1, w2) = halved(
        [first, readout], cov_yx, step=1.0 / per_unit, record=record, cov_xx=cov_xx
    )
    found = {"measures": measures, "w1": w1, "w2": w2, "eta": np.array(1.0 / per_unit)}
    found |= {"first": first, "readout": readout, "cov_yx": cov_yx} | more
    return found if cov_xx is None else found | {"cov_xx": cov_xx}


Start = tuple[Array, Array, Array, Array | None, dict[str, Array]]


def _shared(case: Case) -> Start:
    """A run for each direction of (a, b); the modes of one network take different directions."""
    strengths, norm = np.array(case["strengths"]), case["norms"][case["index"]]
    angle = angles(case["directions"])
    n, count = angle.size, strengths.size
    rng = np.random.default_rng([case["seed"], 0, case["index"], int(case["white"])])
    # the inputs of all runs are the same, and so are the modes' input directions
    right = orthonormal(rng, 1, _INPUTS, count)
    hidden, left = (orthonormal(rng, n, size, count) for size in (_HIDDEN, _OUTPUTS))
    turned = angle[(np.arange(n)[:, None] + n * np.arange(count) // count) % n]
    a, b = norm * np.cos(turned), norm * np.sin(turned)
    a[np.abs(a) < 1e-15], b[np.abs(b) < 1e-15] = 0.0, 0.0
    right = np.broadcast_to(right, (n, *right.shape[1:]))
    first = (hidden * a[:, None]) @ right.mT
    readout = (left * b[:, None]) @ hidden.mT
    cov_yx = (left * strengths) @ right.mT
    cov_xx, variances = None, np.ones(count)
    if not case["white"]:
        variances = np.array(_VARIANCES)
        cov_xx = np.eye(_INPUTS) + (right[0] * (variances - 1.0)) @ right[0].T
        cov_xx = 0.5 * (cov_xx + cov_xx.T)
    more = {"a": a, "b": b, "angle": turned, "variances": variances}
    return first, readout, cov_yx, cov_xx, more | {"u": left, "r": hidden, "v": right}


def _balanced(case: Case) -> Start:
    """Random alignments; the same for every lambda, so that lambda is all that changes."""
    size, share, n = case["sizes"][case["index"]], case["shares"][case["share"]], case["runs"]
    rng = np.random.default_rng([case["seed"], 1, case["index"]])
    sizes = (_INPUTS, _HIDDEN, _OUTPUTS)
    right, hidden, left = (orthonormal(rng, n, size, _HIDDEN) for size in sizes)
    profile = rng.uniform(0.5, 1.5, (n, _HIDDEN))
    profile *= (1.0 - abs(share)) * size / 2.0 / np.sum(profile, axis=1, keepdims=True)
    level = share * size / _HIDDEN
    a, b = np.sqrt(profile + max(-level, 0.0)), np.sqrt(profile + max(level, 0.0))
    first = (hidden * a[:, None]) @ right.mT
    readout = (left * b[:, None]) @ hidden.mT
    count = len(case["strengths"])
    inputs, outputs = (orthonormal(rng, n, size, count) for size in (_INPUTS, _OUTPUTS))
    cov_yx = (outputs * np.array(case["strengths"])) @ inputs.mT
    return first, readout, cov_yx, None, {"level": np.array(level)}
