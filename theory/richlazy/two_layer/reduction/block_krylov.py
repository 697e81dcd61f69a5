"""T15 in blocks: several outputs, a readout that is not silent, any cov_xx.

With hidden directions H and input directions X,

    H contains W2' and W1 X,   X contains cov_xy, W1'H and cov_xx X

is the space in which the flow moves (T11). `BlockChain` builds it from its useful end, an
order at a time, and stops anywhere: the small network is then the Galerkin projection of
the large one. White inputs and m outputs add m directions to each side per order, 2m with a
readout. With other inputs each order multiplies by cov_xx as well as by W1'W1, and words in
two matrices double from order to order: the space is soon all that can be reached, and the
gain is in starts of low rank, in a cov_xx with few distinct eigenvalues, and in early times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.start import covariance, matrices, precision
from richlazy.start.covariance import inverse_root
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.flow import Problem
from richlazy.two_layer.reduction.krylov import STRUCTURE, Reduced, without_rounding
from richlazy.two_layer.reduction.subspace import (
    new_directions,
    reachable,
    reachable_outputs,
)

__all__ = ["BlockChain"]

Array = NDArray[np.float64]


class _Order(NamedTuple):
    """What one order spans, and how it is coupled to what lies beyond (see `Reduced`)."""

    hidden: int
    inputs: int
    coupling: Array


class BlockChain:
    """Block Golub-Kahan chain of a start and a task, grown on demand.

    Left vectors U span H, right vectors V span X, and W1(0)'U = V B' at every order. Every
    new block is orthogonalised twice against all before it, and its directions that vanish are
    deflated. When none is left the small network is exact. What has grown is replaced and never
    changed, so that a shallow copy grows by itself.

    Parameters
    ----------
    start, task
        W1(0) is only multiplied with, so that any `MatrixLike` does; cov_xx is dense.

    Attributes
    ----------
    moments
        tr R_0 cov_xx^2 and tr (R_0 cov_xx)^2; an operator's are estimates (`moments.exact`).
    scale, lengths
        (1,): size of W1(0), and strength of the task, which together say how stiff the flow is.
    left, right
        U (h, h') and V (d, d') so far.
    left_out
        Size of the largest direction that was taken for rounding, over that of W1(0).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> start = Network(rng.standard_normal((40, 50)) / 40.0, rng.standard_normal((2, 40)) / 40.0)
    >>> chain = BlockChain(start, Task.random(50, 2, rng=rng))
    >>> chain.grow(3)
    >>> chain.reduced().problem.first.shape, chain.reduced(2).problem.first.shape
    ((1, 12, 14), (1, 8, 10))
    """

    def __init__(self, start: Network, task: Task) -> None:
        self.start, self.task = start, task
        first, cov = start.first, task.cov_xx
        if cov is None:
            self.moments = start.moments
            self._with_variance = None
        else:
            self.moments = matrices.seen_moments(first, cov)
            self._with_variance = _variance(cov)
        size = np.sqrt(self.moments.trace_square.value / max(self.moments.trace.value, 1e-300))
        self.scale = np.array([size])
        spread = 1.0 if cov is None else float(np.linalg.norm(cov, 2))
        self.lengths = np.array([np.linalg.norm(task.whitened, 2) / np.sqrt(spread)])
        self._spread = spread
        self.left_out = 0.0

        self.left = np.zeros((start.hidden, 0))
        self.right = task.modes.right
        self._first = np.zeros((0, self.right.shape[1]))  # B
        self._moved = np.zeros((task.inputs, 0))  # cov_xx V
        self._seen = np.zeros((start.hidden, 0))  # W1(0) cov_xx V
        self._orders: list[_Order] = []
        self._fresh = self.right.shape[1]  # right vectors not yet multiplied with
        self._next_left: Array  # what those reach
        self._next_right: Array
        rows = (
            matrices.svd(start.readout.T, start.precision).left
            if start.readout is not None
            else self.left
        )
        self._look_ahead(rows)
        self._next_left = np.concatenate([rows, self._next_left], axis=1)
        self._cov_yx = task.cov_yx
        self._said: tuple[str, ...] = ()
        if cov is None:
            norm = float(np.sqrt(self.moments.trace.value))
            asked = first, start.readout, task, norm, start.precision
            self._cov_yx, self._said = reachable(*asked)

    @property
    def order(self) -> int:
        """Number of multiplications with W1 and W1' from the task."""
        return len(self._orders)

    @property
    def complete(self) -> bool:
        """Whether every direction that can move is in, so that the reduction is exact."""
        return self._next_left.size == 0 and self._next_right.size == 0

    def grow(self, order: int) -> None:
        """Extend the chain to `order`, or to its end if that comes first."""
        while self.order < max(order, 1):
            if self.complete and self.order:
                return
            self._step()

    def _step(self) -> None:
        """Take in the images W1 V that `_look_ahead` found, then W1'U and cov_xx V of both."""
        new, h, d = self._next_left, self.left.shape[1], self.right.shape[1]
        # W1'U of new left vectors is orthogonal to the right vectors whose image is in H already
        known = 0 if h == 0 else d - self._fresh
        self.left = np.concatenate([self.left, new], axis=1)
        image = self._adjoint(new)
        onto = self.right.T @ image
        onto[:known] = 0.0
        noise = self._rounding * self._size(image)
        rest = new_directions(self.right, image, noise, self._with_variance)
        rows = np.concatenate([onto, rest.T @ image])
        right = np.concatenate([self.right, rest], axis=1)
        more = new_directions(right, self._next_right, STRUCTURE, self._with_variance)
        self.right = np.concatenate([right, more], axis=1)
        self._fresh = self.right.shape[1] - d
        first = np.zeros((h + new.shape[1], self.right.shape[1]))
        first[:h, :d] = self._first
        first[h:, : right.shape[1]] = rows.T
        self._first = first
        self._look_ahead(self.left)
        self._orders = [*self._orders, _Order(len(first), first.shape[1], self._coupling())]

    def _look_ahead(self, left: Array) -> None:
        """What the newest right vectors reach next: W1 V beyond H, and cov_xx V beyond X."""
        fresh = self.right[:, self.right.shape[1] - self._fresh :]
        image = matrices.forward(self.start.first, fresh)
        self._next_left = self._beyond(left, image, fresh)
        self._next_right = np.zeros((self.task.inputs, 0))
        if self.task.cov_xx is None:
            self._image = image
            return
        moved = self.task.cov_xx @ fresh
        self._moved = np.concatenate([self._moved, moved], axis=1)
        seen = matrices.forward(self.start.first, moved)
        self._seen = np.concatenate([self._seen, seen], axis=1)
        noise = STRUCTURE * self._spread
        self._next_right = new_directions(self.right, moved, noise, self._with_variance)

    @property
    def _rounding(self) -> float:
        return max(STRUCTURE, 2.0 * self.start.precision)

    def _beyond(self, basis: Array, image: Array, x: Array) -> Array:
        """Basis of what the image W1 x has beyond a basis that is not rounding."""
        scale = self._size(image)
        found = new_directions(basis, image, self._rounding * scale)
        if found.shape[1] < image.shape[1]:  # what is small beside W1 may be all there is of W1 x
            sizes = np.minimum(matrices.sizes(self.start.first, x), scale)
            found = new_directions(basis, image, self._rounding * sizes)
            rest = image - basis @ (basis.T @ image) - found @ (found.T @ image)
            self.left_out = max(
                self.left_out, float(np.abs(rest).max(initial=0.0)) / (scale or 1.0)
            )
        return found

    def _seen_by(self, w2: Array, left: Array) -> Array:
        """W2 U, without the rounding of units that it does not see."""
        readout: Array = w2 @ left
        if self.start.graded:  # of weak units it may be all there is
            return readout
        rounding = precision.noise(len(left)) * np.linalg.norm(w2)
        return np.where(np.linalg.norm(readout, axis=0) > rounding, readout, 0.0)

    def _coupling(self) -> Array:
        """N of `Reduced`; with white inputs it touches the newest right vectors only."""
        image = self._image if self.task.cov_xx is None else self._seen
        for _ in range(2):
            image = image - self.left @ (self.left.T @ image)
        return image.T @ image

    def _size(self, image: Array) -> float:
        """Of W1(0): the largest it has made of a unit vector."""
        if image.size:
            self.scale = np.maximum(self.scale, np.linalg.norm(image, axis=0).max())
        return float(self.scale[0])

    def _adjoint(self, x: Array) -> Array:
        """W1'x, on the inputs that have variance: the others are not seen and do not move."""
        image = matrices.adjoint(self.start.first, x)
        if self._with_variance is None:
            return image
        return np.asarray(self._with_variance @ (self._with_variance.T @ image))

    def reduced(self, order: int | None = None) -> Reduced:
        """The small network of the first `order` (default: all) orders."""
        k = self.order if order is None else min(order, self.order)
        h, d, coupling = self._orders[k - 1]
        shape, unit = self.start.first.shape, self.start.precision
        first, turn, lost = without_rounding(self._first[None, :h, :d], shape, unit)
        self.left_out = max(self.left_out, lost)
        left, right = self.left[:, :h] @ turn[0], self.right[:, :d]
        w2 = self.start.readout
        readout = np.zeros((self.task.outputs, h)) if w2 is None else self._seen_by(w2, left)
        cov_yx = np.zeros((self.task.outputs, d))
        count = self.task.modes.strengths.size
        cov_yx[:, :count] = self._cov_yx @ right[:, :count]
        inputs, root, square = float(self.task.inputs), None, None
        lost = 0.5 * float(np.sum((self.task.cov_yx - self._cov_yx) ** 2))
        complete = self.complete and k == self.order
        if self.task.cov_xx is not None:
            inputs = float(np.sum(self.task.cov_xx**2))
            moved = self._moved[:, :d]
            root, square = _root(right.T @ moved), moved.T @ moved
            inverse = inverse_root(root)
            known = cov_yx @ inverse
            if not complete:  # no map on these inputs explains more
                lost = 0.5 * max(float(np.sum(self.task.whitened**2) - np.sum(known**2)), 0.0)
            cov_yx = reachable_outputs(first[0], readout, cov_yx, root)
            lost += 0.5 * float(np.sum((known - cov_yx @ inverse) ** 2))
        return Reduced(
            problem=Problem(first, readout[None], cov_yx[None], root),
            inputs=inputs,
            trace=self.moments.trace.value,
            trace_square=self.moments.trace_square.value,
            coupling=coupling[None],
            units=left,
            directions=right,
            complete=complete,
            out_of_reach=lost,
            square=square,
            said=self._said,
            trace_error=self.moments.trace.standard_error,
            trace_square_error=self.moments.trace_square.standard_error,
        )


def _variance(cov: Array) -> Array | None:
    """Basis of the inputs with variance, None if all have."""
    values, vectors = covariance.eigen(cov)
    known = values > 0
    return None if np.all(known) else vectors[:, known]


def _root(square: Array) -> Array:
    values, vectors = np.linalg.eigh(0.5 * (square + square.T))
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
