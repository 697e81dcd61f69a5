"""Laziness of a recurrent start over random tasks, inputs and readouts (T20)."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from richlazy.errors import Rng, times
from richlazy.recurrent.averages.question import asked
from richlazy.recurrent.averages.sampling import sample
from richlazy.recurrent.averages.trees import TYPICAL_FROM, law, typical_start
from richlazy.recurrent.record import Expected
from richlazy.start.matrices import MatrixLike
from richlazy.threads import alone

__all__ = ["Average", "expect", "expect_over"]

Average: TypeAlias = Literal["typical", "law", "sample"]


def expect(
    start: MatrixLike,
    steps: int,
    channels: int = 1,
    outputs: int = 1,
    *,
    units: int | None = None,
    strength: float = 1.0,
    input_norm: float = 1.0,
    readout_norm: float = 1.0,
    t: float = np.inf,
    method: Average | None = None,
    tasks: int | None = None,
    rng: Rng | None = None,
) -> Expected:
    """Laziness of a recurrent start over random tasks, inputs and readouts.

    Parameters
    ----------
    start
        W (N x N: dense, sparse, `Thin` or LinearOperator), or singular values (1-D, descending)
        of a W whose singular vectors are uniform and independent.
    steps, channels, outputs
        T, n and m. A task has independent normal responses at every lag.
    units
        N; needed with singular values, optional with a matrix.
    strength
        ||S||.
    input_norm, readout_norm
        Norm of each column of U and each row of V, in uniformly random directions.
    t
        Time, learning rate x steps of training; infinity allowed.
    method
        "typical": the one deterministic network that every large start of these singular values
        learns like (T20), with `tasks` random tasks; of a matrix it sees the singular values
        alone. "law": the same of the two-valued spectrum with the same norm and participation
        ratio. "sample": U, V and the task drawn anew each time, and of singular values W too.
        None is "typical" for singular values of a participation ratio of at least 30, below which
        draws learn unlike the typical start, and "sample" for others and for a matrix.
    tasks
        Number of draws, by default 200, and 20 for "sample".
    rng
        Source of chance, a seed or a generator; by default a fixed seed, so that numbers repeat.
        The same gives every method the same tasks.

    Examples
    --------
    >>> from richlazy import spectrum
    >>> found = expect(spectrum.flat(rank=100, norm=6.0), steps=4, units=100, tasks=20)
    >>> found.method
    'typical start (T20) with 20 tasks'
    >>> bool(0.5 < found.kernel_alignment.mean < 0.9)
    True
    """
    (found,) = expect_over(
        start, steps, channels, outputs, units=units, strength=strength, input_norm=input_norm,
        readout_norm=readout_norm, t=times(t, ndim=0), method=method, tasks=tasks, rng=rng,
    )  # fmt: skip
    return found


def expect_over(
    start: MatrixLike,
    steps: int,
    channels: int = 1,
    outputs: int = 1,
    *,
    units: int | None = None,
    strength: float = 1.0,
    input_norm: float = 1.0,
    readout_norm: float = 1.0,
    t: ArrayLike = np.inf,
    method: Average | None = None,
    tasks: int | None = None,
    rng: Rng | None = None,
) -> list[Expected]:
    """What `expect` says at each of several times, every flow followed once for all of them.

    The numbers are those of `expect` to the accuracy stated, which is that of the worst time.
    """
    case = asked(
        start, steps, channels, outputs, units, strength, input_norm, readout_norm, t, tasks, rng
    )
    if method is not None and (not isinstance(method, str) or method not in get_args(Average)):
        raise ValueError(f"method must be 'typical', 'law' or 'sample'; it is {method!r}")
    if method is None:
        low = case.matrix is not None or case.participation_ratio < TYPICAL_FROM
        method = "sample" if low else "typical"
    how = {"sample": sample, "law": law, "typical": typical_start}[method]
    with alone(case.units if method == "sample" else 0):
        return how(case)
