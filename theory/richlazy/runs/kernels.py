"""Tangent kernels that do not fit: alignments from random projections, with their error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import UndefinedError

__all__ = ["Sketched", "afforded", "sketched_alignment", "sketched_target_alignment"]

Array = NDArray[np.float64]

_LEAST = 8  # directions


class Sketched(NamedTuple):
    """An estimate over random directions, and its standard error."""

    value: float
    standard_error: float


def afforded(samples: int, parameters: int, itemsize: int, memory: float) -> int:
    """Samples whose Jacobians (of one output each) two blocks of fit into the memory.

    Raises
    ------
    ValueError
        If not even one does.
    """
    rows = int(memory // (2 * parameters * itemsize))
    if rows < 1:
        raise ValueError(
            f"the gradients of {parameters:g} parameters for two samples are above the limit of "
            f"{memory:.2g} bytes: raise memory, or take directions"
        )
    return min(rows, samples)


def sketched_alignment(initial: Array, final: Array) -> Sketched:
    """KA of two kernels from their products with the same random directions.

    With u_k = J_0 v_k and w_k = J_t v_k for independent standard normal v_k, (u_k' w_l)^2 has
    mean tr K_0 K_t for k != l. Each of the three traces in KA is the mean over all such pairs,
    without bias; the standard error of their quotient is that of the jackknife over directions.

    Parameters
    ----------
    initial, final
        J_0 v_k and J_t v_k, (directions, rows of the kernel); (directions, outputs, rows) for a
        kernel that is summed over outputs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> v = rng.standard_normal((400, 30))
    >>> found = sketched_alignment(v, v @ np.diag(np.r_[np.ones(15), np.zeros(15)]))
    >>> abs(found.value - 0.5**0.5) < 3 * found.standard_error < 0.1
    True
    """
    cross, crosses = _pairs(initial, final)
    own0, owns0 = _pairs(initial, initial)
    own_t, owns_t = _pairs(final, final)
    if own0 <= 0 or own_t <= 0:
        raise UndefinedError("kernel alignment is 0/0: one of the two is all zero")
    each = crosses / np.sqrt(owns0 * owns_t)
    return Sketched(float(cross / np.sqrt(own0 * own_t)), _error(each))


def sketched_target_alignment(along: float, final: Array, targets: Array) -> Sketched:
    """<S, K S> / (||K|| ||S||^2), of which only ||K|| is estimated.

    `along` is <S, K S> = ||J' S||^2, one gradient.
    """
    whole, own = _pairs(final, final)
    if whole <= 0:
        raise UndefinedError("target alignment is 0/0: the kernel is all zero")
    share = along / float(np.sum(targets**2))
    return Sketched(float(share / np.sqrt(whole)), _error(share / np.sqrt(own)))


def _pairs(a: Array, b: Array) -> tuple[float, Array]:
    """Mean of (a_k' b_l)^2 over k != l, and what it is without each of the directions."""
    count = len(a)
    if count < _LEAST:
        raise ValueError(f"directions must be at least {_LEAST}; there are {count}")
    rows = a.shape[-1]
    squares = (a.reshape(-1, rows) @ b.reshape(-1, rows).T) ** 2
    apiece = len(squares) // count
    squares = squares.reshape(count, apiece, count, apiece).sum(axis=(1, 3))
    np.fill_diagonal(squares, 0.0)
    total, without = squares.sum(), squares.sum(axis=0) + squares.sum(axis=1)
    return total / (count * (count - 1)), (total - without) / ((count - 1) * (count - 2))


def _error(each: Array) -> float:
    """Standard error of the jackknife, from the values without each."""
    count = each.size
    return float(np.sqrt((count - 1) * np.mean((each - each.mean()) ** 2)))
