"""One call: a spectrum or a first layer to its laziness over random tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from richlazy.averages.approximations import law, typical
from richlazy.averages.closed import closed_form
from richlazy.averages.question import Average, Question, asked
from richlazy.averages.record import Expected
from richlazy.averages.sampling import sample
from richlazy.errors import AssumptionError, Rng, times
from richlazy.start.matrices import MatrixLike
from richlazy.start.precision import PrecisionLike

__all__ = ["Average", "expect", "expect_over"]


def expect(
    start: MatrixLike,
    inputs: int | None = None,
    *,
    outputs: int = 1,
    strength: float = 1.0,
    alignment: float | None = None,
    norm: float | None = None,
    t: float = np.inf,
    method: Average | None = None,
    tasks: int | None = None,
    rng: Rng | None = None,
    precision: PrecisionLike = None,
) -> Expected:
    """Laziness of a start with a silent readout over random tasks on white inputs.

    Parameters
    ----------
    start
        Singular values (1-D, descending) or a first layer W1 (hidden x inputs: dense,
        sparse, `Thin` or LinearOperator).
    inputs
        d; needed with singular values, optional with a matrix (its columns).
    outputs
        m. A task has m equal modes in uniformly random orthonormal directions.
    strength
        ||cov_yx||_F.
    alignment
        c: only tasks whose squared share inside the row space of W1 is c, their direction in
        it uniform (one output). None: tasks uniform on the sphere.
    norm
        Frobenius norm that the start is brought to first. None leaves it as it is; the command
        line reads files, mostly counts without a unit, at norm 1 unless `--norm` says otherwise.
    t
        Time, learning rate x steps; infinity allowed.
    method
        None takes "closed form" for a flat spectrum with one output, or with several at
        t = infinity, else "sample". "closed form" (T7) is exact but for the weight change
        and the quantiles of several outputs, which average T6 over sampled principal
        angles. "law" is the participation-ratio law (T15), "typical" the typical task
        (T14): both approximations of O(1/PR) for one output, whose accuracy is stated.
    tasks
        Number of sampled tasks, by default 200 (50 where the start is far above the task and one
        needs a long chain, 20 with several outputs and over 100 distinct singular values; up to
        10 000 where one is a set of principal angles).
    rng
        A seed or a numpy.random.Generator, source of the sampled tasks; by default a fixed
        seed, so that numbers repeat.
    precision
        What the weights are known to, each relative to itself, for arrays whose dtype does not
        tell: see `richlazy.Network`. Rank and equal singular values are judged at it.

    Examples
    --------
    >>> from richlazy import spectrum
    >>> found = expect(spectrum.flat(rank=5), inputs=100)
    >>> found.method, round(found.kernel_alignment.mean, 4)
    ('closed form (T7)', 0.2584)
    >>> found = expect(spectrum.power_law(64, exponent=0.5), inputs=64)
    >>> found.method
    'sample of 200 tasks by krylov (T15), k=6'
    """
    (found,) = expect_over(
        start, inputs, outputs=outputs, strength=strength, alignment=alignment, norm=norm,
        t=times(t, ndim=0), method=method, tasks=tasks, rng=rng, precision=precision,
    )  # fmt: skip
    return found


def expect_over(
    start: MatrixLike,
    inputs: int | None = None,
    *,
    outputs: int = 1,
    strength: float = 1.0,
    alignment: float | None = None,
    norm: float | None = None,
    t: ArrayLike = np.inf,
    method: Average | None = None,
    tasks: int | None = None,
    rng: Rng | None = None,
    precision: PrecisionLike = None,
) -> list[Expected]:
    """What `expect` says at each of several times, sampled tasks followed once for all of them.

    The numbers are those of `expect` to the accuracy stated, which is that of the worst time.
    """
    if method not in (None, *get_args(Average)):
        raise ValueError(
            f"method must be 'closed form', 'law', 'typical' or 'sample'; it is {method!r}"
        )
    at = np.ravel(times(t))
    case = asked(
        start, inputs, outputs, strength, alignment, norm, at[0], method, tasks, rng, precision
    )
    begin, found = case.rng.bit_generator.state, {}
    if method != "sample":
        for k, time in enumerate(at.tolist()):
            case.rng.bit_generator.state = begin  # every time has the same tasks
            answer = _ALONE[method or "closed form"](replace(case, time=time))
            if isinstance(answer, Expected):
                found[k] = answer
            elif method is not None:
                raise AssumptionError(f"method {method!r} {answer}")
    if rest := [k for k in range(at.size) if k not in found]:
        case.rng.bit_generator.state = begin
        found |= dict(zip(rest, sample(case, at[rest]), strict=True))
    every = (found[k] for k in range(at.size))
    return [replace(one, assumptions=(*one.assumptions, *case.said)) for one in every]


_ALONE: dict[str, Callable[[Question], Expected | str]] = {
    "closed form": closed_form,
    "law": law,
    "typical": typical,
}
