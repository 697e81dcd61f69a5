"""Descent in the few directions that a flat start and its task share, exact at any size.

W1(0) = s U V' of rank r with a silent readout: only the directions of V' beta and beta - V V' beta
ever move, one each for every output; the other r - m of the row space keep their s (T6), and enter
the measures by their number. Random tasks of d inputs cost what 2 m of them do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy.laziness import Traces, along_task, from_traces
from richlazy.two_layer.descent import descend
from validation.steps import FINER, steps_per_unit

__all__ = ["thin", "thin_halved"]

Array = NDArray[np.float64]


def thin(modes: Array, rank: int, norm: float, strengths: Array) -> tuple[Array, Array, Array]:
    """W1, W2 and cov_yx of a start whose row space is that of the first `rank` axes."""
    n, _, m = modes.shape
    inside, outside = (np.linalg.qr(part)[1] for part in (modes[:, :rank], modes[:, rank:]))
    k = inside.shape[1]
    first = np.zeros((n, k, k + outside.shape[1]))
    first[:, :, :k] = norm / np.sqrt(rank) * np.eye(k)
    task = np.concatenate([inside, outside], axis=1) * strengths
    return first, np.zeros((n, m, k)), task.mT


def thin_halved(
    modes: Array, rank: int, norm: float, strengths: Array, time: int, fineness: float
) -> Array:
    """Measures of the whole network at a time, of steps eta, eta/2, eta/4; (3, measures, runs)."""
    first, readout, cov_yx = thin(modes, rank, norm, strengths)
    per_unit = steps_per_unit(first[:1], readout[:1], cov_yx[:1], fineness)
    found = []
    for factor in FINER:
        frequency = per_unit * factor
        steps = time * frequency
        run = descend(first, readout, cov_yx, step=1.0 / frequency, steps=steps, record=[steps])
        changes = _squares(run.first - first), _squares(run.readout)
        alignments = _alignments(run.first, run.readout, cov_yx, modes.shape[1], rank, norm)
        changed = [np.sqrt(changes[0] + changes[1]), *np.sqrt(changes)]
        found.append(np.stack([*changed, *alignments, run.measures.loss[:, 0]]))
    return np.stack(found)


def _alignments(
    first: Array, readout: Array, cov_yx: Array, inputs: int, rank: int, norm: float
) -> tuple[Array, ...]:
    """RA, KA and target alignment, with the directions that keep s."""
    k, square = first.shape[1], norm**2 / rank
    still = rank - k
    b = readout @ readout.mT
    none = np.zeros(len(first))
    traces = Traces(
        r0_rt=square * _squares(first[:, :, :k]) + still * square**2,
        r0_r0=none + rank * square**2,
        rt_rt=_squares(first @ first.mT) + still * square**2,
        r0=none + rank * square,
        rt=_squares(first) + still * square,
        b0_bt=none,
        b0_b0=none,
        bt_bt=_squares(b),
        b0=none,
        bt=_squares(readout),
        along=along_task(
            _squares(first @ cov_yx.mT) + _squares(readout.mT @ cov_yx), _squares(cov_yx)
        ),
    )
    return from_traces(traces, inputs, readout.shape[1])


def _squares(x: Array) -> Array:
    """Squared Frobenius norm of every run's matrix."""
    return np.asarray(np.sum(x**2, axis=(1, 2)))
