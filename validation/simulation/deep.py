"""Plain full-batch gradient descent of linear networks of any depth, many runs at once.

    W_l <- W_l + step B_l' E A_l',   A_l = W_{l-1} ... W_1,   B_l = W_L ... W_{l+1},
    E = cov_yx - W_L ... W_1 cov_xx,

which is T1 in steps, written as anybody would write it and knowing nothing of the theory. With
two layers it is `richlazy.descent`. The measures are those of `richlazy.deep`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import ConvergenceError, integer, positive, real_array
from richlazy.laziness import Measures, alignment, along_task
from richlazy.start.task import Task
from validation.steps import FINER

__all__ = ["DeepDescent", "balance", "descend", "halved", "squares", "stable_step"]

Array = NDArray[np.float64]
Sides = tuple[list[Array], list[Array]]

_DIVERGED = 100.0  # times the loss of the start and of zero weights; no settling run gets there


@dataclass(frozen=True, eq=False)
class DeepDescent:
    """What a batch of n runs recorded.

    `times` (records,) is step x index, `measures` (n, records) are between the start and every
    record, NaN where one is 0/0: as in `deep.DeepSolution`, input and readout are the first and
    the last layer. `weights`, first layer first, are (n, records, out, in).
    """

    times: Array
    measures: Measures
    weights: list[Array]


def descend(
    weights: Sequence[ArrayLike],
    cov_yx: ArrayLike,
    *,
    step: float,
    record: Sequence[int],
    cov_xx: ArrayLike | None = None,
) -> DeepDescent:
    """Gradient descent on the excess loss L = 1/2 E ||(W* - W_L ... W_1) x||^2.

    Parameters
    ----------
    weights
        At the start, [W_1, ..., W_L], each (n, out, in), one network a run.
    cov_yx
        E[y x'] of every run, (n, m, d), not all zero.
    step
        Learning rate, > 0; time is step x index. See `stable_step`.
    record
        Step indices at which to measure, rising from 0 or more; the last one ends the runs.
    cov_xx
        E[x x'], (d, d), common to all runs; None for white inputs.

    Raises
    ------
    ValueError
        If a shape does not fit or a value is outside its range.
    ConvergenceError
        If a run diverges.
    """
    start = [real_array(w, f"weights[{i}]", ndim=3) for i, w in enumerate(weights)]
    yx = real_array(cov_yx, "cov_yx", ndim=3)
    _check_shapes(start, yx)
    eta = float(positive(step, "step", ndim=0))
    indices = [integer(index, "record", least=0) for index in record]
    if not indices or sorted(set(indices)) != indices:
        raise ValueError(f"record must hold rising step indices; it is {list(record)}")
    wanted = set(indices)
    task = Task(yx.reshape(-1, yx.shape[2]), cov_xx)  # all runs' outputs, one under another
    gauge = _Gauge(start, task)
    limit = _DIVERGED * gauge.ceiling()
    now = [w.copy() for w in start]
    measured, kept = [], []
    # a diverging run overflows before it is looked at; the check of each step names it
    with np.errstate(over="ignore", invalid="ignore"):
        for index in range(indices[-1] + 1):
            inner = [now[0]]  # A_2, ..., A_{L+1}
            for w in now[1:]:
                inner.append(w @ inner[-1])
            product = inner.pop()
            passed = yx - (product if task.cov_xx is None else product @ task.cov_xx)
            if not np.all(squares(passed) <= limit):
                safe = stable_step(start, yx, task.cov_xx)
                raise ConvergenceError(
                    f"gradient descent diverges: at step {index} of size {eta:g} the loss has "
                    f"grown past {_DIVERGED:g} times its start; take a smaller step, well below "
                    f"2/sharpness, about {safe:.2g} here"
                )
            if index in wanted:
                measured.append(gauge.measures(now))
                kept.append([w.copy() for w in now])
            if index < indices[-1]:
                passed *= eta
                for l in range(len(now) - 1, 0, -1):
                    change = passed @ inner[l - 1].mT
                    passed = now[l].mT @ passed
                    now[l] += change
                now[0] += passed
    found = Measures(*(np.stack(values, axis=1) for values in zip(*measured, strict=True)))
    layers = [np.stack(layer, axis=1) for layer in zip(*kept, strict=True)]
    return DeepDescent(eta * np.array(indices), found, layers)


def halved(
    weights: Sequence[Array],
    cov_yx: Array,
    *,
    step: float,
    record: Sequence[int],
    cov_xx: Array | None = None,
) -> tuple[Array, list[Array]]:
    """Measures and weights with the step and its halves, at the same times.

    Measures are (3, measures, n, records), layers (3, n, records, out, in).
    """
    runs = [
        descend(
            weights,
            cov_yx,
            step=step / factor,
            record=[index * factor for index in record],
            cov_xx=cov_xx,
        )
        for factor in FINER
    ]
    layers = [np.stack(layer) for layer in zip(*(run.weights for run in runs), strict=True)]
    return np.stack([np.stack(run.measures) for run in runs]), layers


def stable_step(weights: Sequence[Array], cov_yx: Array, cov_xx: Array | None = None) -> float:
    """Step above which descent may not settle, about 2/sharpness, the least over all runs.

    Sharpness is taken as that of the tangent kernel at the start and, were it balanced, at the
    end together: sum_l ||A_l||^2 ||B_l||^2 ||cov_xx|| + L ||W*||^(2 - 2/L) ||cov_xx||.
    """
    inner, outer = _products(list(weights))
    sharpness = sum(_norm(a) ** 2 * _norm(b) ** 2 for a, b in zip(inner, outer, strict=True))
    task = Task(cov_yx.reshape(-1, cov_yx.shape[2]), cov_xx)
    best = cov_yx if cov_xx is None else np.linalg.solve(cov_xx, cov_yx.mT)
    depth, size = len(weights), 1.0 if task.cov_xx is None else float(np.linalg.norm(cov_xx, 2))
    return 2.0 / float(np.max(size * (sharpness + depth * _norm(best) ** (2.0 - 2.0 / depth))))


def squares(x: Array) -> Array:
    """Squared Frobenius norm of every matrix."""
    return np.asarray(np.einsum("...ij,...ij->...", x, x))


def balance(lower: Array, upper: Array) -> Array:
    """W_{l+1}'W_{l+1} - W_l W_l' of every run's layers, which the flow keeps (T1)."""
    return np.asarray(upper.mT @ upper - lower @ lower.mT)


class _Gauge:
    """Measures between the start of all runs and their weights later."""

    def __init__(self, start: list[Array], task: Task) -> None:
        self.start = start
        self.root, self.cov_xx = task.root, task.cov_xx
        self.whitened = task.whitened.reshape(len(start[0]), -1, task.inputs)
        self.cov_yx = task.cov_yx.reshape(self.whitened.shape)
        self.inputs = task.inputs if task.cov_xx is None else float(np.sum(task.cov_xx**2))
        self.before = self._thin(start)
        self.square = self._overlap(self.before, self.before)

    def measures(self, weights: list[Array]) -> Measures:
        """Every measure, arrays (n,)."""
        after = self._thin(weights)
        changes = [squares(w - start) for w, start in zip(weights, self.start, strict=True)]
        kernel = self._overlap(self.before, after), self.square, self._overlap(after, after)
        first0, first = self._seen(self.start[0]), self._seen(weights[0])
        grams = [squares(x @ y.mT) for x, y in ((first0, first), *_twice(first0, first))]
        product = after[1][0] @ first if len(weights) > 1 else first
        return Measures(
            weight_change=np.sqrt(sum(changes)),
            weight_change_input=np.sqrt(changes[0]),
            weight_change_readout=np.sqrt(changes[-1]),
            representation_alignment=alignment(*grams),
            kernel_alignment=alignment(*kernel),
            target_alignment=alignment(self._along(weights), 1.0, kernel[2]),
            loss=0.5 * squares(self.whitened - product),
        )

    def ceiling(self) -> Array:
        """||E||^2 of each run is at most this as long as it loses no more than start and zero."""
        size = 1.0 if self.cov_xx is None else float(np.linalg.norm(self.cov_xx, 2))
        product = self._seen(self.start[0])
        for w in self.start[1:]:
            product = w @ product
        return size * (squares(self.whitened - product) + squares(self.whitened))

    def _along(self, weights: list[Array]) -> Array:
        """<S, K S>/||S||^2, <S, K S> = sum_l ||B_l' cov_yx A_l'||^2."""
        sides = zip(*_products(weights), strict=True)
        moved = sum(squares(b.mT @ self.cov_yx @ a.mT) for a, b in sides)
        return along_task(np.asarray(moved), squares(self.whitened))

    def _seen(self, x: Array) -> Array:
        return x if self.root is None else x @ self.root

    def _thin(self, weights: list[Array]) -> Sides:
        """A_2, ..., A_L, each times cov_xx^(1/2), and B_1, ..., B_{L-1}: A_1 and B_L are 1."""
        inner, outer = _products(weights)
        return [self._seen(a) for a in inner[1:]], outer[:-1]

    def _overlap(self, a: Sides, b: Sides) -> Array:
        """tr K_a K_b = sum_{k,l} ||A_k cov_xx A_l'||^2 ||B_k'B_l||^2."""
        (inner_a, outer_a), (inner_b, outer_b) = a, b
        depth, total = len(inner_a) + 1, np.zeros(len(self.whitened))
        for k in range(depth):
            for l in range(depth):
                if k and l:
                    seen = squares(inner_a[k - 1] @ inner_b[l - 1].mT)
                elif k or l:
                    seen = squares(self._seen(inner_a[k - 1] if k else inner_b[l - 1]))
                else:
                    seen = self.inputs
                if k < depth - 1 and l < depth - 1:
                    read = squares(outer_a[k].mT @ outer_b[l])
                elif k < depth - 1 or l < depth - 1:
                    read = squares(outer_a[k] if k < depth - 1 else outer_b[l])
                else:
                    read = float(self.whitened.shape[1])
                total = total + seen * read
        return total


def _twice(*pairs: Array) -> list[tuple[Array, Array]]:
    return [(x, x) for x in pairs]


def _products(weights: list[Array]) -> tuple[list[Array], list[Array]]:
    """A_1, ..., A_L and B_1, ..., B_L of every run; A_1 and B_L are identities (1, ., .)."""
    inner = [np.eye(weights[0].shape[2])[None]]
    for w in weights[:-1]:
        inner.append(w if len(inner) == 1 else w @ inner[-1])
    outer = [np.eye(weights[-1].shape[1])[None]]
    for w in weights[:0:-1]:
        outer.insert(0, w if len(outer) == 1 else outer[0] @ w)
    return inner, outer


def _norm(x: Array) -> Array:
    """Spectral norm of every run's matrix."""
    return np.asarray(np.linalg.norm(x, 2, axis=(-2, -1)))


def _check_shapes(weights: list[Array], cov_yx: Array) -> None:
    if not weights:
        raise ValueError("weights must hold at least one layer; it is empty")
    n, m, d = cov_yx.shape
    sizes = [d, *(w.shape[1] for w in weights)]
    expected = [(n, out, before) for before, out in pairwise(sizes)]
    if [w.shape for w in weights] != expected or sizes[-1] != m:
        raise ValueError(
            "layers (n, out, in) must chain from the columns of cov_yx (n, m, d) to its rows; they "
            f"are {[w.shape for w in weights]}, cov_yx {cov_yx.shape}"
        )
