"""Parts of a deep network that never meet: each is integrated at its own scale.

Where the layers and the task share a block structure, in the given coordinates or in turned
ones, dW_l/dt = B_l' E A_l' holds block by block. A weak block beside a strong one then keeps
all its digits, however long its plateau lasts; a network that shares its modes with the task
falls apart into scalars (T4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.deep.flow import Products, Small
from richlazy.integration.parts import Members, components

__all__ = ["Part", "assembled", "parts_of"]

Array = NDArray[np.float64]

_ROUNDING = 1e-14  # of the norm of a layer: what a rotation leaves of a zero
_WEAKEST = 1e3  # times what is dropped: no weight of a part may be nearer to rounding
_MIXED = np.sqrt(2.0)


class Part(NamedTuple):
    """A network of its own, and where it lies in the whole.

    bases, orthonormal columns for the inputs and the outputs of every layer; gap, the largest
    entry taken for rounding over the least weight kept, 0 where the parts are apart exactly.
    """

    bases: list[Array]
    small: Small
    gap: float


def parts_of(small: Small) -> list[Part]:
    """The independent parts of a network, those left out that cannot move.

    Examples
    --------
    >>> layer, task = np.diag([0.5, 1e-20]), np.diag([1.0, 0.5])
    >>> parts = parts_of(Small([layer, layer, layer], np.ones(2), task, 2.0, 2.0))
    >>> [part.small.weights[0].item() for part in parts]
    [0.5, 1e-20]
    """
    apart = components(small.weights, small.target)
    if apart is None:
        turned = _turned(small)
        if turned is None:
            sizes = [len(small.gains), *(len(w) for w in small.weights)]
            return [Part([np.eye(n) for n in sizes], small, 0.0)]
        return [
            Part([q @ b for q, b in zip(turned.bases, p.bases, strict=True)], p.small, gap)
            for p in parts_of(turned.small)
            for gap in (max(p.gap, turned.gap),)
        ]
    found = []
    for members in apart:
        block = _block(small, members)
        chosen = [np.eye(len(m))[:, m] for m in members]
        found += [
            Part([c @ b for c, b in zip(chosen, p.bases, strict=True)], p.small, p.gap)
            for p in parts_of(block)
        ]
    return found


def assembled(small: Small, parts: Sequence[Part], changes: Sequence[list[Array]]) -> list[Array]:
    """The change of every layer of the whole, from those of its parts."""
    total = [np.zeros_like(w) for w in small.weights]
    for part, change in zip(parts, changes, strict=True):
        for i, moved in enumerate(change):
            total[i] += part.bases[i + 1] @ moved @ part.bases[i].T
    return total


def _block(small: Small, members: Members) -> Small:
    weights = [
        w[np.ix_(out, into)]
        for w, into, out in zip(small.weights, members, members[1:], strict=False)
    ]
    target = small.target[np.ix_(members[-1], members[0])]
    return small._replace(weights=weights, gains=small.gains[members[0]], target=target)


def _turned(small: Small) -> Part | None:
    """The network in coordinates in which it falls apart up to rounding, rounding set to zero."""
    bases = _bases(small)
    weights = [b.T @ w @ a for w, a, b in zip(small.weights, bases, bases[1:], strict=False)]
    target = bases[-1].T @ small.target @ bases[0]
    gains = bases[0].T @ (small.gains[:, None] * bases[0])
    dropped = 0.0
    for block in (*weights, target, gains):
        rounding = np.abs(block) <= _ROUNDING * np.linalg.norm(block)
        dropped = max(dropped, float(np.max(np.abs(block[rounding]), initial=0.0)))
        block[rounding] = 0.0
    apart = components(weights, target)
    if np.any(gains - np.diag(np.diag(gains))) or apart is None:
        return None
    found = Small(weights, np.diag(gains).copy(), target, small.variance, small.outputs)
    blocks = [_block(found, members) for members in apart]
    # a task mode or a layer that falls away might hang on by what was taken for rounding
    if sum(np.count_nonzero(b.target) for b in blocks) < np.count_nonzero(target):
        return None
    weakest = min(float(np.linalg.norm(w)) for b in blocks for w in b.weights)
    if weakest <= _WEAKEST * dropped:
        return None
    return Part(bases, found, dropped / weakest)


def _bases(small: Small) -> list[Array]:
    """Eigenvectors, space by space, of a mixture of everything that shared modes diagonalise."""
    at, task = Products(small, small.weights), small.target
    found = []
    for i, (inner, outer) in enumerate(zip([*at.inner, at.function], _outers(at), strict=True)):
        factors = [inner, inner @ task.T, outer.T, outer.T @ task]
        if i > 0:
            factors.append(small.weights[i - 1])
        if i < len(small.weights):
            factors.append(small.weights[i].T)
        mixture = np.zeros((len(inner), len(inner)))
        for k, x in enumerate(factors):
            size = float(np.linalg.norm(x))
            if size > 0:
                mixture += (x / size) @ (x / size).T / (k + _MIXED)
        found.append(np.linalg.eigh(mixture)[1])
    return found


def _outers(at: Products) -> list[Array]:
    """B of every space, the inputs first: W_L ... W_1, ..., W_L, 1."""
    return [at.outer[0] @ at.weights[0], *at.outer]
