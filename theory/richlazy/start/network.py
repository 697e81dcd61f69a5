"""A two-layer linear network at its start: f(x) = W2 W1 x."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import (
    Rng,
    afford,
    common_shape,
    generator,
    instance,
    integer,
    stacked_array,
    unit_interval,
)
from richlazy.start import matrices, spectrum
from richlazy.start import precision as rounding
from richlazy.start.matrices import MatrixLike, Moments, Thin
from richlazy.start.precision import PrecisionLike
from richlazy.start.stack import Stack, alone
from richlazy.start.task import Modes, Task, as_task, random_directions
from richlazy.summary import summary

__all__ = ["Network", "as_network", "as_networks"]

Array = NDArray[np.float64]


class Network(Stack):
    """Initial weights, of one network or of a stack of them.

    Parameters
    ----------
    first
        W1, hidden x inputs: an array, a scipy.sparse matrix, a `Thin` factorisation or a
        scipy.sparse.linalg.LinearOperator. An array (..., hidden, inputs) is a stack.
    readout
        W2, (..., outputs, hidden). None is a silent readout, W2(0) = 0, for any number of outputs.
        Leading axes of both are broadcast.
    precision
        What the weights are known to, each relative to itself: a dtype or a number, for arrays
        whose own dtype does not tell, such as float64 made of a text of few digits. Rank, row
        space and balance are judged at it (`richlazy.start.precision`).

    Attributes
    ----------
    shape : tuple
        Leading axes of a stack, of which `network[i]` is one; () for one network.
    precision : float
        Rounding unit of the weights, the coarser one of both layers.

    Examples
    --------
    >>> Network([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    Network(inputs=2, hidden=3, norm=2.236, readout=silent)
    >>> half = np.outer([1.0, 0.3], [0.7, 0.1]).astype(np.float16)
    >>> Network(half).factors.values.size, Network(half.astype(float)).factors.values.size
    (1, 2)
    >>> Network(np.ones((3, 2, 4)))[0]
    Network(inputs=4, hidden=2, norm=2.828, readout=silent)
    """

    def __init__(
        self,
        first: MatrixLike,
        readout: ArrayLike | None = None,
        *,
        precision: PrecisionLike = None,
    ) -> None:
        self.precision = max(rounding.of(first, precision), rounding.of(readout, precision))
        self.first = matrices.as_matrix(first, "W1", leading=True)
        self.readout = None
        self.shape = tuple(self.first.shape[:-2])
        if readout is not None:
            w2 = stacked_array(readout, "W2")
            if w2.shape[-1] != self.hidden:
                raise ValueError(
                    f"W2 (outputs, hidden) must have {self.hidden} columns, the rows of W1; "
                    f"its shape is {w2.shape}"
                )
            if self.shape or w2.ndim > 2:
                self.shape = common_shape(W1=(self.first, 2), W2=(w2, 2))
                self.first = np.broadcast_to(self.first, (*self.shape, *self.first.shape[-2:]))
                w2 = np.broadcast_to(w2, (*self.shape, *w2.shape[-2:]))
            self.readout = w2 if np.any(w2) else None

    @classmethod
    def from_factors(
        cls, left: ArrayLike, right: ArrayLike, readout: ArrayLike | None = None
    ) -> Network:
        """W1 = left @ right.T from thin factors (h, r) and (d, r); nothing h x d is formed."""
        return cls(Thin.from_factors(left, right), readout)

    @classmethod
    def from_spectrum(
        cls,
        singular_values: ArrayLike,
        *,
        task: Task,
        hidden: int,
        alignment: ArrayLike | None = None,
        rng: Rng,
    ) -> Network:
        """A start with given singular values and a silent readout, at random but for its alignment.

        Parameters
        ----------
        singular_values
            Descending; zeros are dropped. The rank r is what remains.
        task
            Its modes are what the row space of W1 is aligned with.
        hidden
            Number of hidden units, at least r.
        alignment
            c, the share of each squared task mode inside the row space of W1: a number for
            all modes or one each; exact to rounding. None: a uniformly random row space.
            Possible when max(0, r + m - d) <= sum of c <= min(r, m) for m modes in d
            dimensions. Within the row space the direction is uniformly random.
        rng
            A seed or a numpy.random.Generator; not the seed that made the task, or both are
            drawn from the same numbers.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> task = Task.random(50, 1, rng=rng)
        >>> start = Network.from_spectrum(
        ...     spectrum.flat(rank=5), task=task, hidden=20, alignment=0.3, rng=rng)
        >>> start.alignment(task).round(12)
        array([0.3])
        """
        s = spectrum.check(singular_values, "singular_values")
        s, rng = s[s > 0], generator(rng)
        task = as_task(task)
        h, d, r = integer(hidden, "hidden"), task.inputs, s.size
        if r > min(h, d):
            raise ValueError(f"rank {r} is above min(hidden, inputs) = {min(h, d)}; lower the rank")
        afford(24.0 * r * (h + d), f"a start of {h:g} x {d:g}", "lower hidden or the rank")
        left = random_directions(h, r, rng)
        if alignment is None:
            return cls(Thin(left, s, random_directions(d, r, rng)))
        modes = task.modes
        c, m = unit_interval(alignment, "alignment"), modes.strengths.size
        if c.shape not in ((), (m,)):
            raise ValueError(
                f"alignment must be one number or one for each of {m} modes; its shape is {c.shape}"
            )
        c = np.broadcast_to(c, (m,))
        return cls(Thin(left, s, _aligned_rows(modes, c, r, d, rng)))

    @property
    def hidden(self) -> int:
        """Number of hidden units, h."""
        return int(self.first.shape[-2])

    @property
    def inputs(self) -> int:
        """Number of inputs, d."""
        return int(self.first.shape[-1])

    def __getitem__(self, place: int | tuple[int, ...]) -> Network:
        """One network of a stack, or a stack of what further axes hold."""
        at = self._place(place)
        w2 = None if self.readout is None else self.readout[at]
        return Network(self.first[at], w2, precision=self.precision)

    def _spread(self, shape: tuple[int, ...]) -> Network:
        """The same in a larger stack, broadcast; entries of W1 are needed."""
        if shape == self.shape:
            return self
        first = self.first
        if not isinstance(first, np.ndarray):
            raise ValueError("W1 must be an array for a stack of tasks; use predict_each")
        w2 = self.readout
        return Network(
            np.broadcast_to(first, (*shape, *first.shape[-2:])),
            None if w2 is None else np.broadcast_to(w2, (*shape, *w2.shape[-2:])),
            precision=self.precision,
        )

    @property
    def silent(self) -> bool:
        """Whether the readout is zero."""
        return self.readout is None

    @cached_property
    def factors(self) -> Thin:
        """Thin singular value decomposition of W1, without what is rounding at its precision."""
        return matrices.svd(alone(self, "the network").first, self.precision)

    @cached_property
    def said(self) -> tuple[str, ...]:
        """What the precision of the weights decides, in words, if anything."""
        alone(self, "the network")
        rank = None
        if self.precision > rounding.EPS and matrices.has_factors(self.first):
            rank = self.factors.values.size
            rank = rank if rank < min(self.first.shape) else None
        words = rounding.words(self.precision, rank)
        if self.graded:
            values = self.factors.values
            weak = int(np.sum(values <= rounding.cutoff(values, self.first.shape)))
            if weak:
                words += (
                    f"directions of W1 down to {values[-1] / values[0]:.0e} of its largest are "
                    f"taken as given; were they rounding, they would never be learned: {weak}",
                )
        return words

    @cached_property
    def kept_values(self) -> Array:
        """Singular values of W1 without what is rounding at its precision."""
        return matrices.kept_values(alone(self, "the network").first, self.precision)

    @cached_property
    def moments(self) -> Moments:
        """tr R_0 and tr R_0^2 of R_0 = W1'W1, which every task asks for."""
        return matrices.second_moments(alone(self, "the network").first)

    @cached_property
    def square(self) -> float:
        """||W1||_F^2."""
        alone(self, "the network")
        if matrices.has_entries(self.first):
            return matrices.second_moments_trace(self.first)
        return self.moments.trace.value

    @cached_property
    def graded(self) -> bool:
        """Whether W1 has units or inputs that a rotation would lose among the others."""
        first = alone(self, "the network").first
        return isinstance(first, np.ndarray) and rounding.graded(first)

    def alignment(self, task: Task) -> Array:
        """Share of each squared task mode inside the row space of W1."""
        if as_task(task).inputs != self.inputs:
            raise ValueError(f"the task has {task.inputs} inputs, the network {self.inputs}")
        return task.alignment(self.factors.right)

    @cached_property
    def conserved(self) -> Array:
        """D = W2'W2 - W1 W1' (hidden x hidden), which gradient flow keeps (T1)."""
        alone(self, "the network")
        wide = matrices.forward(self.first, matrices.adjoint(self.first, np.eye(self.hidden)))
        return -wide if self.readout is None else self.readout.T @ self.readout - wide

    def __repr__(self) -> str:
        if self.shape:
            readout = "silent" if self.readout is None else f"{self.readout.shape[-2]} outputs"
            return summary(
                self, shape=self.shape, inputs=self.inputs, hidden=self.hidden, readout=readout
            )
        w2, readout, sizes = self.readout, "silent", {"norm": "not measured"}
        if matrices.has_entries(self.first):
            sizes["norm"] = f"{np.sqrt(self.square):.4g}"
        if w2 is not None:
            readout = f"{w2.shape[0]} outputs of norm {np.linalg.norm(w2):.4g}"
        return summary(self, inputs=self.inputs, hidden=self.hidden, **sizes, readout=readout)


def as_network(value: Network | MatrixLike, name: str = "start") -> Network:
    """One Network as it is, and a matrix as the first layer of one with a silent readout.

    A matrix is a 2-D array, scipy.sparse, a `Thin` or a LinearOperator. Lists are refused: they
    might be layers.
    """
    return alone(as_networks(value, name), name)


def as_networks(value: Network | MatrixLike, name: str = "start") -> Network:
    """The same, where a stack is as welcome: an array of first layers (..., hidden, inputs)."""
    if matrices.is_matrix(value) or (isinstance(value, np.ndarray) and value.ndim > 2):
        return Network(value)
    remedy = "write Network(W1) or Network(W1, W2), of singular values Network.from_spectrum(...)"
    return instance(value, Network, name, remedy)


def _aligned_rows(
    modes: Modes, c: Array, rank: int, inputs: int, rng: np.random.Generator
) -> Array:
    """Orthonormal columns (d, r) whose projector has diagonal c in the task's modes.

    The projector restricted to the modes is a matrix C with that diagonal and eigenvalues
    in [0, 1], the squared cosines of the principal angles. C = diag(c) where dimensions
    allow; where they are tight, the extreme C with eigenvalues 1, ..., 1, f, 0, ..., 0,
    which majorises every c of its sum (Schur-Horn).
    """
    m, total = c.size, float(np.sum(c))
    low, high = max(0, rank + m - inputs), min(rank, m)
    slack = 1e-12 * m
    if not low - slack <= total <= high + slack:
        raise ValueError(
            f"alignment is impossible: with rank {rank}, {m} task modes and {inputs} inputs its "
            f"sum must lie in [{low}, {high}]; it is {total:g}"
        )
    if np.count_nonzero(c) <= rank and rank - np.count_nonzero(c == 1.0) <= inputs - m:
        cosines, rotation = np.sqrt(c), np.eye(m)
    else:
        ones = int(np.floor(total + slack))
        eigenvalues = np.zeros(m)
        eigenvalues[:ones] = 1.0
        if ones < m:
            eigenvalues[ones] = max(total - ones, 0.0) if total - ones > slack else 0.0
        rotation = _schur_horn(eigenvalues, c)
        cosines = np.sqrt(eigenvalues)
    used = np.flatnonzero(cosines)
    tilted = int(np.count_nonzero(cosines[used] < 1.0))
    needed = rank - used.size + tilted
    outside = rng.standard_normal((inputs, needed))
    for _ in range(2):  # twice is enough: once leaves eps * condition number
        outside -= modes.right @ (modes.right.T @ outside)
        outside, _ = np.linalg.qr(outside)
    inside = (modes.right @ rotation)[:, used] * cosines[used]
    inside[:, cosines[used] < 1.0] += outside[:, :tilted] * np.sqrt(
        1.0 - cosines[used][cosines[used] < 1.0] ** 2
    )
    basis = np.concatenate([inside, outside[:, tilted:]], axis=1)
    return basis @ random_directions(rank, rank, rng)


def _schur_horn(eigenvalues: Array, diagonal: Array) -> Array:
    """Orthogonal Q with diag(Q diag(eigenvalues) Q') = diagonal, which eigenvalues majorise.

    One plane rotation sets one entry of the diagonal at a time (Chan & Li 1983).
    """
    m = diagonal.size
    matrix, q = np.diag(eigenvalues), np.eye(m)
    free = list(range(m))
    position = np.empty(m, dtype=int)
    for target in np.argsort(diagonal):
        wanted = diagonal[target]
        values = np.diag(matrix)[free]
        above = [i for i, v in zip(free, values, strict=True) if v >= wanted]
        below = [i for i, v in zip(free, values, strict=True) if v <= wanted]
        i = (
            min(above, key=lambda k: matrix[k, k])
            if above
            else max(free, key=lambda k: matrix[k, k])
        )
        j = max(below, key=lambda k: matrix[k, k]) if below else i
        if i != j and matrix[i, i] > wanted:
            # the plane spanned is diagonal so far: free entries have not been coupled
            share = (matrix[i, i] - wanted) / (matrix[i, i] - matrix[j, j])
            cos, sin = np.sqrt(1.0 - share), np.sqrt(share)
            plane = np.eye(m)
            plane[i, i], plane[i, j], plane[j, i], plane[j, j] = cos, sin, -sin, cos
            matrix, q = plane @ matrix @ plane.T, plane @ q
        position[target] = i
        free.remove(i)
    return q[position]
