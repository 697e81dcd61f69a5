"""Plain full-batch gradient descent of two-layer linear networks, many runs at once.

    W1 <- W1 + step W2' E,   W2 <- W2 + step E W1',   E = cov_yx - W2 W1 cov_xx,

which is T1 in steps, written as anybody would write it and knowing nothing of the theory:
it is what the theory is held against. Its distance from the flow is O(step) (T13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import laziness
from richlazy.errors import ConvergenceError, integer, positive, real_array
from richlazy.laziness import Measures, Traces
from richlazy.start.task import Task
from richlazy.summary import summary

__all__ = ["Descent", "Gauge", "descend", "stable_step"]

Array = NDArray[np.float64]

_DIVERGED = 100.0  # times the loss of the start and of zero weights; no settling run gets there


@dataclass(frozen=True, eq=False)
class Descent:
    """What a batch of n runs recorded.

    Attributes
    ----------
    times : ndarray
        Step x index of every record, shape (records,).
    measures : Measures
        Between the start and every record, arrays (n, records); NaN where one is 0/0.
    first, readout : ndarray
        Final weights, (n, h, d) and (n, m, h).
    """

    times: Array
    measures: Measures
    first: Array
    readout: Array

    def __repr__(self) -> str:
        runs, hidden, inputs = self.first.shape
        loss = self.measures.loss[:, -1]
        return summary(
            self,
            runs=runs,
            inputs=inputs,
            hidden=hidden,
            outputs=self.readout.shape[1],
            records=self.times.size,
            time=self.times[-1],
            loss=f"{loss.min():.4g} to {loss.max():.4g}",
        )


def descend(
    first: ArrayLike,
    readout: ArrayLike,
    cov_yx: ArrayLike,
    *,
    step: float,
    steps: int,
    record: Sequence[int],
    cov_xx: ArrayLike | None = None,
) -> Descent:
    """Gradient descent on the excess loss L = 1/2 E ||(W* - W2 W1) x||^2 (T1, T13).

    Parameters
    ----------
    first, readout
        Weights at the start, W1 (n, h, d) and W2 (n, m, h), one network a run.
    cov_yx
        E[y x'] of every run, (n, m, d), not all zero.
    step
        Learning rate, > 0; time is step x index. See `stable_step`.
    steps
        Number of steps.
    record
        Step indices at which to measure, rising, within [0, steps].
    cov_xx
        E[x x'], (d, d), common to all runs; None for white inputs.

    Returns
    -------
    Descent

    Raises
    ------
    ValueError
        If a shape does not fit or a value is outside its range.
    ConvergenceError
        If a run diverges: its loss grows past 100 times its start and that of zero weights
        together. A step a little too large may also oscillate for ever, which the recorded
        loss shows.

    Examples
    --------
    >>> import numpy as np
    >>> first = np.array([[[1.0, 0.0]], [[0.6, 0.8]]])  # two runs, one hidden unit, two inputs
    >>> readout, cov_yx = np.zeros((2, 1, 1)), np.array([[[1.0, 0.0]], [[1.0, 0.0]]])
    >>> run = descend(first, readout, cov_yx, step=0.01, steps=200, record=[0, 100, 200])
    >>> run.times
    array([0., 1., 2.])
    >>> run.measures.loss.round(3)
    array([[0.5  , 0.034, 0.001],
           [0.5  , 0.276, 0.119]])
    """
    w1, w2, yx = (
        real_array(value, name, ndim=3)
        for value, name in ((first, "first"), (readout, "readout"), (cov_yx, "cov_yx"))
    )
    gauge = Gauge(w1, w2, yx, cov_xx)
    eta = float(positive(step, "step", ndim=0))
    count = integer(steps, "steps", least=0)
    indices = _indices(record, count)
    wanted = set(indices)
    w1, w2 = w1.copy(), w2.copy()
    limit = _DIVERGED * gauge.ceiling()
    # the product of one output is an outer product, which BLAS is slow at
    times = np.multiply if yx.shape[1] == 1 else np.matmul
    change = np.empty_like(w1)
    recorded = []
    # a diverging run overflows before it is looked at; the check of each step names it
    with np.errstate(over="ignore", invalid="ignore"):
        for index in range(count + 1):
            residual = _residual(w1, w2, yx, gauge.cov_xx)
            if not np.all(_squares(residual) <= limit):
                safe = stable_step(gauge.first, gauge.readout, yx, gauge.cov_xx)
                raise ConvergenceError(
                    f"gradient descent diverges: at step {index} of size {eta:g} the loss has "
                    f"grown past {_DIVERGED:g} times its start; take a smaller step, well below "
                    f"2/sharpness, about {safe:.2g} here"
                )
            if index in wanted:
                recorded.append(gauge.measures(w1, w2))
            if index < count:
                residual *= eta
                times(w2.swapaxes(1, 2), residual, out=change)
                w2 += residual @ w1.swapaxes(1, 2)
                w1 += change
    found = Measures(*(np.stack(values, axis=1) for values in zip(*recorded, strict=True)))
    return Descent(eta * np.array(indices), found, w1, w2)


def stable_step(
    first: ArrayLike, readout: ArrayLike, cov_yx: ArrayLike, cov_xx: ArrayLike | None = None
) -> float:
    """Step above which descent may not settle: 2/sharpness, the least over all runs.

    Sharpness is the largest curvature of the loss. Where layers and task share their modes
    (T2) it is at most ||cov_xx|| (||W1||^2 + ||W2||^2) + 2 ||cov_yx|| on the whole way, in
    spectral norms at the start, and that is what is used; elsewhere it is an estimate.

    Parameters
    ----------
    first, readout, cov_yx
        As in `descend`, or without the axis of runs.
    cov_xx
        As in `descend`.

    Examples
    --------
    >>> stable_step([[2.0, 0.0]], [[0.0]], [[1.0, 0.0]])  # 2 / (4 + 2)
    0.3333333333333333
    """
    w1, w2, yx = (
        np.linalg.norm(real_array(value, name, ndim=(2, 3)), 2, axis=(-2, -1))
        for value, name in ((first, "first"), (readout, "readout"), (cov_yx, "cov_yx"))
    )
    xx = 1.0 if cov_xx is None else np.linalg.norm(real_array(cov_xx, "cov_xx", ndim=2), 2)
    sharpness = float(np.max(xx * (w1**2 + w2**2) + 2.0 * yx))
    return 2.0 / sharpness if sharpness > 0 else np.inf


class Gauge:
    """Measures between the start of n runs and their weights later, however these were found.

    Parameters
    ----------
    first, readout, cov_yx, cov_xx
        As in `descend`; not copied, and not to be changed.

    Attributes
    ----------
    cov_xx : ndarray or None
        None for inputs that are white to rounding.

    Raises
    ------
    ValueError
        If a shape does not fit or a value is outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> first, readout = np.array([[[1.0, 0.0]]]), np.zeros((1, 1, 1))
    >>> gauge = Gauge(first, readout, np.array([[[1.0, 0.0]]]))
    >>> gauge.measures(first, readout + 1.0).kernel_alignment.round(3)  # now the task is solved
    array([0.894])
    """

    def __init__(
        self,
        first: ArrayLike,
        readout: ArrayLike,
        cov_yx: ArrayLike,
        cov_xx: ArrayLike | None = None,
    ) -> None:
        self.first, self.readout, yx = (
            real_array(value, name, ndim=3)
            for value, name in ((first, "first"), (readout, "readout"), (cov_yx, "cov_yx"))
        )
        _check_shapes(self.first, self.readout, yx)
        task = Task(yx.reshape(-1, yx.shape[2]), cov_xx)  # all runs' outputs, one under another
        self._root, self.cov_xx = task.root, task.cov_xx
        self._task, self._whitened = yx, task.whitened.reshape(yx.shape)
        self._kernel_inputs = task.inputs if task.cov_xx is None else float(np.sum(task.cov_xx**2))
        self._start = self._thin(self.first, self.readout)

    def measures(self, first: Array, readout: Array) -> Measures:
        """Every measure of weights W1 (n, h, d) and W2 (n, m, h), arrays (n,); NaN where 0/0."""
        (seen0, trace0, b0), (seen, trace, b) = self._start, self._thin(first, readout)
        traces = Traces(
            r0_rt=_overlap(seen0, seen),
            r0_r0=_overlap(seen0, seen0),
            rt_rt=_overlap(seen, seen),
            r0=trace0,
            rt=trace,
            b0_bt=np.sum(b0 * b, axis=(1, 2)),
            b0_b0=_squares(b0),
            bt_bt=_squares(b),
            b0=_squares(self.readout),
            bt=_squares(readout),
            along=laziness.along_task(
                _squares(first @ self._task.mT) + _squares(readout.mT @ self._task),
                _squares(self._whitened),
            ),
        )
        ra, ka, ta = laziness.from_traces(traces, self._kernel_inputs, readout.shape[1])
        changes = _squares(first - self.first), _squares(readout - self.readout)
        return Measures(
            weight_change=np.sqrt(changes[0] + changes[1]),
            weight_change_input=np.sqrt(changes[0]),
            weight_change_readout=np.sqrt(changes[1]),
            representation_alignment=ra,
            kernel_alignment=ka,
            target_alignment=ta,
            loss=0.5 * _squares(self._whitened - readout @ seen),
        )

    def ceiling(self) -> Array:
        """||E||^2 of each run is at most this as long as it loses no more than start and zero."""
        size = 1.0 if self.cov_xx is None else float(np.linalg.norm(self.cov_xx, 2))
        product = self.readout @ self._start[0]
        return size * (_squares(self._whitened - product) + _squares(self._whitened))

    def _thin(self, first: Array, readout: Array) -> tuple[Array, Array, Array]:
        """W1 cov_xx^(1/2), tr(cov_xx^(1/2) R cov_xx^(1/2) cov_xx) and B."""
        seen = first if self._root is None else first @ self._root
        trace = _squares(first if self.cov_xx is None else first @ self.cov_xx)
        return seen, trace, readout @ readout.swapaxes(1, 2)


def _residual(first: Array, readout: Array, cov_yx: Array, cov_xx: Array | None) -> Array:
    product = readout @ first
    return cov_yx - (product if cov_xx is None else product @ cov_xx)


def _squares(x: Array) -> Array:
    """Squared Frobenius norm of every run's matrix."""
    flat = x.reshape(len(x), -1)
    return np.asarray(np.vecdot(flat, flat))


def _overlap(a: Array, b: Array) -> Array:
    """tr(A'A B'B) = ||A B'||_F^2, by whichever product is smaller: hidden or input side."""
    if a.shape[1] <= a.shape[2]:
        return _squares(a @ b.swapaxes(1, 2))
    return np.asarray(np.sum((a.swapaxes(1, 2) @ a) * (b.swapaxes(1, 2) @ b), axis=(1, 2)))


def _check_shapes(first: Array, readout: Array, cov_yx: Array) -> None:
    (n, h, d), m = first.shape, readout.shape[1]
    if readout.shape != (n, m, h) or cov_yx.shape != (n, m, d):
        raise ValueError(
            "first (n, h, d), readout (n, m, h) and cov_yx (n, m, d) must fit together; "
            f"they are {first.shape}, {readout.shape} and {cov_yx.shape}"
        )


def _indices(record: Sequence[int], steps: int) -> list[int]:
    indices = [integer(index, "record", least=0) for index in record]
    if not indices or sorted(set(indices)) != indices or indices[-1] > steps:
        raise ValueError(
            f"record must hold rising step indices within [0, {steps}]; it is {list(record)}"
        )
    return indices
