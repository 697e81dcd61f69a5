"""A training run: recorded, held against the theory, and judged."""

from __future__ import annotations

import os
from collections.abc import Sequence

from richlazy.runs.compare import Comparison, Theory, compare, verdict
from richlazy.runs.recording import Recording

__all__ = ["Run", "load"]


class Run(Recording):
    """Measures of a training run between its start and every later snapshot.

    The first snapshot is the start. Kept are the start, the latest snapshot and one number for
    each measure and step, however long the run; with `keep="all"` every snapshot.

    Parameters
    ----------
    learning_rate
        Of plain gradient descent: time is learning rate x steps, as in the theory. None where
        there is no such number (Adam, schedules): columns then run along steps.
    targets
        Targets of the probe samples, (samples,) or (samples, outputs), for the target alignment
        of the kernel.
    keep
        "ends" or "all".

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> run, w = Run(learning_rate=0.1), rng.standard_normal((4, 3))
    >>> for step in range(3):
    ...     run.record(step, weights={"w": w * (1.0 + step)}, loss=1.0 / (1.0 + step))
    >>> run["relative_weight_change"]
    array([0., 1., 2.])
    >>> run["time"]
    array([0. , 0.1, 0.2])
    """

    def compare(self, theory: Theory, layers: Sequence[str] | None = None) -> Comparison:
        """The run beside the theory: a `Comparison` with deviations, and a figure.

        Parameters
        ----------
        theory
            A curve along time, a solution of `solve`, `deep.solve` or `recurrent.solve`, or a
            `Task` or `recurrent.Task`: then the theory starts at the run's own initial weights.
        layers
            Names of the weight matrices from input to output, or U, W, V of a recurrent network;
            None: all matrices in their order.

        Raises
        ------
        ValueError
            If the run has no learning rate, no such layers, or no measure of the theory's.
        """
        return compare(self, theory, layers)

    def verdict(self) -> str:
        """How lazy the run was so far, in one sentence.

        By the kernel alignment of the last snapshot, as predictions are: lazy from 0.9, rich to
        0.5; without kernels by the representation alignment, which is said.
        """
        return verdict(self)


def load(path: str | os.PathLike[str]) -> Run:
    """A run that `Run.save` wrote, ready to be gone on with.

    Raises
    ------
    FileError
        If the file is missing or no such run.
    """
    return Run.load(path)
