"""Where in rank W moves least: the typical start times the scatter of a finite rank (T20)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import Rng, generator, integer, positive
from richlazy.formulas.recurrent_limits import lags, scatter
from richlazy.recurrent.averages.expect import expect
from richlazy.start import spectrum

__all__ = ["Turn", "turn"]

Array = NDArray[np.float64]

_RANKS = 9
_TASKS = 60
_LAGS_HELD = "ranks below {} hold fewer lags than the task has: W moves more than this says there"


class Turn(NamedTuple):
    """E ||dW|| of flat starts against rank, and the rank at which it is least.

    typical is that of the typical start of the same N/r, and weight_change that times `scatter`.
    """

    ranks: Array
    typical: Array
    weight_change: Array
    least: int
    assumptions: tuple[str, ...]


def turn(
    units: int,
    steps: int,
    *,
    gain: float,
    strength: float = 1.0,
    tasks: int = _TASKS,
    rng: Rng | None = None,
) -> Turn:
    """Mean change of W over random tasks against the rank of a flat start, and its least.

    Two things that go against each other. A start of lower rank has larger singular values:
    inputs and readout that turn a little into them change the responses much, and little is left
    for W to do (the typical start: E ||dW|| rises with rank). And the r x r core that remembers
    beyond one step is the more random the smaller it is, and below (T - 2)/2 holds too few lags
    (`scatter`: it falls). One channel and output of norm 1; the domain is that of
    `formulas.recurrent_limits.scatter`.

    Parameters
    ----------
    units, steps, gain, strength
        N, T, g and ||S||.
    tasks
        Number of random tasks.
    rng
        Source of chance, a seed or a generator; by default a fixed seed.

    Examples
    --------
    >>> found = turn(200, 3, gain=0.625, tasks=8)
    >>> bool(found.least < 5), bool(found.weight_change[-1] > found.weight_change.min())
    (True, True)
    """
    big, t = integer(units, "units", least=2), integer(steps, "steps", least=2)
    g = float(positive(gain, "gain", ndim=0))
    ranks = np.unique(np.geomspace(1, big, _RANKS).round())
    seed = int(generator(0 if rng is None else rng).integers(2**63))
    typical = np.array(
        [
            expect(
                spectrum.flat(rank=int(r), norm=g * np.sqrt(big)),
                t,
                units=big,
                strength=strength,
                method="typical",
                tasks=tasks,
                rng=seed,  # the same tasks at every rank
            ).weight_change_recurrent.mean
            for r in ranks
        ]
    )
    every = np.arange(1, big + 1)
    smooth = np.interp(np.log(every), np.log(ranks), np.log(typical))
    whole = smooth + np.log(scatter(every, steps=t, gain=g))
    enough = next(r for r in range(1, t + 1) if lags(r) >= t)
    said: tuple[str, ...] = (
        "flat starts, one channel and output of norm 1, random tasks",
        "E ||dW|| by the typical start times a fitted factor of rank, to a few percent",
    )
    if enough > 1:
        said = (*said, _LAGS_HELD.format(enough))
    return Turn(
        ranks,
        typical,
        typical * scatter(ranks, steps=t, gain=g),
        int(every[np.argmin(whole[enough - 1 :]) + enough - 1]),
        said,
    )
