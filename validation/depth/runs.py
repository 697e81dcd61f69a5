"""Runs of the study `depth`: deep linear networks by gradient descent, whatever the theory says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from richlazy import depth
from validation.simulation.deep import balance, halved, squares, stable_step
from validation.simulation.starts import orthonormal
from validation.steps import FINER
from validation.study import Arrays, Case

__all__ = ["FULL", "QUICK", "Grid", "cases", "simulate"]

Array = NDArray[np.float64]

_WIDTHS = (6, 7, 5, 8, 6, 7, 5)  # inputs, layers; the last layer used has `_OUTPUTS` rows
_OUTPUTS = 4


@dataclass(frozen=True)
class Grid:
    """What is run; `starts` are strengths of the product of all layers."""

    depths: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    starts: tuple[float, ...] = (1e-3, 1e-2, 0.1, 0.3, 1.5)
    strengths: tuple[float, ...] = (1.0, 0.7, 0.4)  #: modes of one network
    frames: int = 3  #: random frames for each network
    real_depths: tuple[float, ...] = (1.0, 1.25, 1.5, 2.0, 2.5, np.e, np.pi, 4.5, 6.0, 10.0)
    real_times: tuple[int, ...] = (1, 2, 4, 8)
    great_depths: tuple[float, ...] = (1024.0, 2048.0, 4096.0)  #: each twice the one before
    great_times: tuple[int, ...] = (1, 4, 16)  #: L t
    random_depths: tuple[int, ...] = (3, 4)
    gains: tuple[float, ...] = (0.5, 0.75, 1.0)  #: layers are Gaussian of variance gain^2 / columns
    random_times: tuple[int, ...] = (1, 3, 9)
    runs: int = 8  #: random starts of each kind
    fineness: int = 120  #: the largest step is about 2/sharpness over this


FULL = Grid()
QUICK = Grid(
    depths=(1, 2, 3, 4),
    starts=(0.05, 0.3, 1.5),
    frames=1,
    real_depths=(1.5, 2.0, np.pi),
    real_times=(1, 4),
    great_times=(1, 8),
    gains=(1.0,),
    random_times=(1, 3),
    runs=2,
    fineness=60,
)


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each depth and start, one for all real and for all great depths, random starts."""
    found: list[Case] = []
    for layers, index in product(grid.depths, range(len(grid.starts))):
        found.append({"kind": "aligned", "layers": layers, "index": index})
    found += [{"kind": "powers"}, {"kind": "infinite"}]
    for layers, index, white in product(grid.random_depths, range(len(grid.gains)), (True, False)):
        found.append({"kind": "random", "layers": layers, "index": index, "white": white})
    return [asdict(grid) | {"seed": seed} | case for case in found]


def simulate(case: Case) -> Arrays:
    """Runs of one case."""
    run = {"aligned": _aligned, "powers": _powers, "infinite": _infinite, "random": _random}
    return run[case["kind"]](case)


def _aligned(case: Case) -> Arrays:
    layers, start, n = case["layers"], case["starts"][case["index"]], case["frames"]
    strengths = np.array(case["strengths"])
    rng = np.random.default_rng([case["seed"], 0, layers, case["index"]])
    sizes = [*_WIDTHS[:layers], _OUTPUTS]
    frames = [orthonormal(rng, n, h, strengths.size) for h in sizes]
    layer = start ** (1.0 / layers)
    weights = [layer * frames[l + 1] @ frames[l].mT for l in range(layers)]
    cov_yx = (frames[-1] * strengths) @ frames[0].mT
    eta = stable_step(weights, cov_yx) / case["fineness"]
    # when each mode is half way, and when the slowest has all but come: T4 only says where to look
    there = strengths + 1e-5 * (start - strengths)
    when = [
        *depth.time(start, 0.5 * (start + strengths), strengths, layers),
        np.max(depth.time(start, there, strengths, layers)),
    ]
    record = np.unique(np.maximum(np.round(np.array(when) / eta), 1)).astype(int).tolist()
    measures, later = halved(weights, cov_yx, step=eta, record=record)
    ahead = [np.broadcast_to(frames[0][:, None], (*later[0].shape[:3], *frames[0].shape[1:]))]
    for w in later:
        ahead.append(w @ ahead[-1])
    back = [np.broadcast_to(frames[-1][:, None], ahead[-1].shape)]
    for w in later[:0:-1]:
        back.insert(0, w.mT @ back[0])
    kernel = sum(_columns(a, a) * _columns(b, b) for a, b in zip(ahead[:-1], back, strict=True))
    return {
        "measures": measures,
        "strength": _columns(ahead[-1], np.broadcast_to(frames[-1][:, None], ahead[-1].shape)),
        "kernel": kernel,
        "times": eta * np.array(record),
        "eta": np.array(eta),
    }


def _columns(a: Array, b: Array) -> Array:
    return np.asarray(np.sum(a * b, axis=-2))


def _powers(case: Case) -> Arrays:
    layers = np.array(case["real_depths"])
    return _one_weight(case, layers, np.ones_like(layers), case["real_times"])


def _infinite(case: Case) -> Arrays:
    layers = np.array(case["great_depths"])
    return _one_weight(case, layers, 1.0 / layers, case["great_times"])


def _one_weight(case: Case, layers: Array, pace: Array, times: Sequence[int]) -> Arrays:
    """f(x) = (W/sqrt(L))^L x at `times` times `pace`, values (3, quantities, starts, L, times)."""
    start, root = np.array(case["starts"])[:, None], np.sqrt(layers)
    largest = np.max(pace * np.maximum(start, 1.0) ** (2.0 - 2.0 / layers) * 2.0 * layers)
    per_unit = int(np.ceil(case["fineness"] * largest / 2.0))
    found = []
    for factor in FINER:
        frequency = per_unit * factor
        w = root * start ** (1.0 / layers)
        first, slope, kept = w.copy(), _slope(w, layers), []
        for index in range(1, times[-1] * frequency + 1):
            w += pace * _slope(w, layers) * (1.0 - (w / root) ** layers) / frequency
            if index % frequency == 0 and index // frequency in times:
                u = (w / root) ** layers
                ratio = (_slope(w, layers) / slope) ** 2
                kept.append([u, np.abs(w - first), ratio, 0.5 * (1.0 - u) ** 2])
        found.append(np.moveaxis(kept, 0, -1))
    return {"values": np.stack(found), "eta": np.array(1.0 / per_unit)}


def _slope(w: Array, layers: Array) -> Array:
    """df/dW of f = (W/sqrt(L))^L."""
    root = np.sqrt(layers)
    return np.asarray(root * (w / root) ** (layers - 1.0))


def _random(case: Case) -> Arrays:
    layers, n, gain = case["layers"], case["runs"], case["gains"][case["index"]]
    rng = np.random.default_rng([case["seed"], 1, layers, case["index"], int(case["white"])])
    sizes = [*_WIDTHS[:layers], _OUTPUTS]
    weights = [
        gain / np.sqrt(sizes[l]) * rng.standard_normal((n, sizes[l + 1], sizes[l]))
        for l in range(layers)
    ]
    best = rng.standard_normal((n, sizes[-1], sizes[0]))
    best /= np.linalg.norm(best, 2, axis=(1, 2), keepdims=True)
    cov_xx = None
    if not case["white"]:
        basis = np.linalg.qr(rng.standard_normal((sizes[0], sizes[0])))[0]
        cov_xx = (basis * np.linspace(0.5, 1.5, sizes[0])) @ basis.T
        cov_xx = 0.5 * (cov_xx + cov_xx.T)
    cov_yx = best if cov_xx is None else best @ cov_xx
    per_unit = int(np.ceil(case["fineness"] / stable_step(weights, cov_yx, cov_xx)))
    record = [time * per_unit for time in case["random_times"]]
    measures, later = halved(weights, cov_yx, step=1.0 / per_unit, record=record, cov_xx=cov_xx)
    moved = 0.0
    for l in range(layers - 1):
        before = balance(weights[l], weights[l + 1])[:, None]
        moved = moved + squares(balance(later[l], later[l + 1]) - before)
    found = {
        "measures": measures,
        "drift": np.sqrt(moved) / sum(squares(w) for w in later),
        "cov_yx": cov_yx,
        "eta": np.array(1.0 / per_unit),
    }
    found |= {f"start_{l}": w for l, w in enumerate(weights)}
    return found if cov_xx is None else found | {"cov_xx": cov_xx}
