"""One call: a spectrum or a first layer to its laziness over random tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np

from richlazy.averages.approximations import law, typical
from richlazy.averages.closed import closed_form
from richlazy.averages.question import Average, Question, asked
from richlazy.averages.record import Expected
from richlazy.averages.sampling import sample
from richlazy.errors import AssumptionError, Rng
from richlazy.start.matrices import MatrixLike
from richlazy.start.precision import PrecisionLike

__all__ = ["Average", "expect"]


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
    if method not in (None, *get_args(Average)):
        raise ValueError(
            f"method must be 'closed form', 'law', 'typical' or 'sample'; it is {method!r}"
        )
    case = asked(
        start, inputs, outputs, strength, alignment, norm, t, method, tasks, rng, precision
    )
    for attempt in _PREFERRED if method is None else (_ROUTES[method],):
        answer = attempt(case)
        if isinstance(answer, Expected):
            return replace(answer, assumptions=(*answer.assumptions, *case.said))
    raise AssumptionError(f"method {method!r} {answer}")


_ROUTES: dict[str, Callable[[Question], Expected | str]] = {
    "closed form": closed_form,
    "law": law,
    "typical": typical,
    "sample": sample,
}
_PREFERRED = (closed_form, sample)
