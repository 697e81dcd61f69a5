"""A linear regression task: what the network sees of it are two covariances.

Inputs x (d), targets y (m); cov_yx = E[y x'] (m x d), cov_xx = E[x x'] (d x d). The excess
loss of f(x) = W2 W1 x is L = 1/2 E ||(W* - W2 W1) x||^2, W* the least-squares map.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import (
    Rng,
    afford,
    common_shape,
    generator,
    instance,
    integer,
    positive,
    real_array,
)
from richlazy.start import covariance, matrices
from richlazy.start.stack import Stack, alone
from richlazy.summary import summary

__all__ = ["Modes", "Task", "as_task", "as_tasks", "random_directions"]

Array = NDArray[np.float64]

_ROUNDING = 1e-12  # relative; covariances from data carry sums of many roundings
_EXPLAINED = 1e-6  # share of cov_yx that may lie where cov_xx is zero


class Modes(NamedTuple):
    """cov_yx = left diag(strengths) right', strengths descending, zero ones dropped."""

    left: Array
    strengths: Array
    right: Array


class Task(Stack):
    """Covariances of a linear task, or of a stack of them.

    Parameters
    ----------
    cov_yx
        Input-output covariance E[y x'], (m, d); a vector (d,) is one output, an array (..., m, d)
        a stack of tasks.
    cov_xx
        Input covariance E[x x'], (d, d) or (..., d, d), symmetric and positive semidefinite. None
        means white inputs (the identity), which every closed form needs.

    Attributes
    ----------
    shape : tuple
        Leading axes of a stack, of which `task[i]` is one; () for one task.

    Raises
    ------
    ValueError
        If the task is zero (nothing to learn), shapes do not fit, cov_xx is not a
        covariance, or cov_yx has a component where the inputs have no variance.
    """

    def __init__(self, cov_yx: ArrayLike, cov_xx: ArrayLike | None = None) -> None:
        given = real_array(cov_yx, "cov_yx")
        if not given.ndim:
            raise ValueError("cov_yx must have 1 dimension or more; it is one number")
        self.cov_yx = np.atleast_2d(given)
        if given.ndim > 2 or np.ndim(cov_xx) > 2:  # type: ignore[arg-type]
            self._stack(cov_xx)
            return
        _check_sizes(self.cov_yx)
        self.cov_xx = None if cov_xx is None else _covariance(cov_xx, self.inputs)
        if self.cov_xx is not None:
            sizes = _sizes(self.cov_xx)  # inputs may be in very different units
            explained = self.cov_yx @ self._whitener @ self._root
            if np.linalg.norm((explained - self.cov_yx) / sizes) > _EXPLAINED * np.linalg.norm(
                self.cov_yx / sizes
            ):
                raise ValueError(
                    "cov_yx has a component in directions where cov_xx is zero to rounding; check "
                    "that both come from the same inputs, and that none is nearly a combination of "
                    "the others (subtract the mean of one that hardly varies, such as a clock)"
                )

    def _stack(self, cov_xx: ArrayLike | None) -> None:
        """Every task of a stack checked as one is."""
        cov = None if cov_xx is None else real_array(cov_xx, "cov_xx")
        self.shape = self.cov_yx.shape[:-2]
        if cov is not None:
            if cov.ndim < 2:
                raise ValueError(f"cov_xx must have 2 dimensions or more; its shape is {cov.shape}")
            self.shape = common_shape(cov_yx=(self.cov_yx, 2), cov_xx=(cov, 2))
            cov = np.broadcast_to(cov, (*self.shape, *cov.shape[-2:]))
        self.cov_yx = np.broadcast_to(self.cov_yx, (*self.shape, *self.cov_yx.shape[-2:]))
        self.cov_xx = cov
        _check_sizes(self.cov_yx)
        if cov is None:
            return
        white = True
        for place in np.ndindex(self.shape):
            try:
                white &= self[place].cov_xx is None
            except ValueError as error:
                raise type(error)(f"task {place} of the stack: {error}") from None
        if white:
            self.cov_xx = None

    def __getitem__(self, place: int | tuple[int, ...]) -> Task:
        """One task of a stack, or a stack of what further axes hold."""
        at = self._place(place)
        return Task(self.cov_yx[at], None if self.cov_xx is None else self.cov_xx[at])

    def _spread(self, shape: tuple[int, ...]) -> Task:
        """The same in a larger stack, broadcast."""
        if shape == self.shape:
            return self
        cov_yx, cov = self.cov_yx, self.cov_xx
        return Task(
            np.broadcast_to(cov_yx, (*shape, *cov_yx.shape[-2:])),
            None if cov is None else np.broadcast_to(cov, (*shape, *cov.shape[-2:])),
        )

    @classmethod
    def teacher(cls, weights: ArrayLike, cov_xx: ArrayLike | None = None) -> Task:
        """Targets y = weights @ x: weights (d,) for one output or (m, d).

        Examples
        --------
        >>> Task.teacher([3.0, 4.0]).strength
        5.0
        """
        w = np.atleast_2d(real_array(weights, "weights", ndim=(1, 2)))
        if cov_xx is None:
            return cls(w)
        cov = _covariance(cov_xx, w.shape[1])
        return cls(w if cov is None else w @ cov, cov)

    @classmethod
    def from_data(cls, x: ArrayLike, y: ArrayLike) -> Task:
        """Covariances of data: x (samples, d), y (samples,) or (samples, m); not centred.

        Inputs white to rounding are recognised, so that the closed forms apply.
        """
        inputs = real_array(x, "x", ndim=2)
        targets = real_array(y, "y", ndim=(1, 2))
        targets = targets[:, None] if targets.ndim == 1 else targets
        if len(inputs) != len(targets):
            raise ValueError(
                f"x and y must have one row per sample; they have {len(inputs)} and {len(targets)}"
            )
        return cls(targets.T @ inputs / len(inputs), inputs.T @ inputs / len(inputs))

    @classmethod
    def random(cls, inputs: int, outputs: int = 1, strength: float = 1.0, *, rng: Rng) -> Task:
        """White inputs; `outputs` equal modes in random directions, ||cov_yx||_F = strength.

        `rng` is a seed or a numpy.random.Generator.

        Examples
        --------
        >>> Task.random(100, 4, rng=1)
        Task(inputs=100, outputs=4, strength=1, cov_xx=white)
        >>> Task.random(100, 4, rng=1).modes.strengths
        array([0.5, 0.5, 0.5, 0.5])
        """
        d, m = integer(inputs, "inputs"), integer(outputs, "outputs")
        if m > d:
            raise ValueError(
                f"outputs must be at most inputs, or modes cannot be equal; they are {m} and {d}"
            )
        g = float(positive(strength, "strength", ndim=0))
        rng = generator(rng)
        afford(24.0 * m * d, f"a task of {m:g} x {d:g}", "lower inputs or outputs")
        right = random_directions(d, m, rng)
        left = random_directions(m, m, rng)
        task = cls(left @ right.T * (g / np.sqrt(m)))
        task.modes = Modes(left, np.full(m, g / np.sqrt(m)), right)
        return task

    @property
    def inputs(self) -> int:
        """Number of inputs, d."""
        return int(self.cov_yx.shape[-1])

    @property
    def outputs(self) -> int:
        """Number of outputs, m."""
        return int(self.cov_yx.shape[-2])

    @property
    def white(self) -> bool:
        """Whether cov_xx is the identity."""
        return self.cov_xx is None

    @cached_property
    def strength(self) -> float:
        """||cov_yx||_F, the length of the task vector of one output."""
        return float(np.linalg.norm(alone(self, "the task").cov_yx))

    @cached_property
    def modes(self) -> Modes:
        """Singular value decomposition of cov_yx, the modes the network learns one by one."""
        alone(self, "the task")
        if self.separate:  # each row is a mode, known to its own digits
            size = np.abs(self.cov_yx).max(axis=1, keepdims=True)
            rows = self.cov_yx / np.where(size > 0, size, 1.0)
            length = np.linalg.norm(rows, axis=1)
            strengths = size[:, 0] * length
            order = np.argsort(-strengths, kind="stable")
            order = order[strengths[order] > 0]
            right = rows[order] / length[order, None]
            return Modes(np.eye(self.outputs)[:, order], strengths[order], right.T)
        return Modes(*matrices.svd(self.cov_yx).parts)

    @cached_property
    def separate(self) -> bool:
        """Whether no two outputs depend on the same input (one output: always)."""
        alone(self, "the task")
        return bool(np.all(np.count_nonzero(self.cov_yx, axis=0) <= 1))

    def alignment(self, basis: ArrayLike) -> Array:
        """Task alignment c of each mode with the span of `basis` (d, r), orthonormal columns.

        c_i = ||basis' v_i||^2 is the share of the squared mode inside the span (T6).

        Examples
        --------
        >>> Task.teacher([3.0, 4.0]).alignment([[1.0], [0.0]])
        array([0.36])
        """
        v = real_array(basis, "basis", ndim=2)
        if v.shape[0] != self.inputs:
            raise ValueError(f"basis must have {self.inputs} rows; its shape is {v.shape}")
        if np.max(np.abs(v.T @ v - np.eye(v.shape[1]))) > 1e-8:
            raise ValueError("basis must have orthonormal columns; take np.linalg.qr(basis)[0]")
        cosines = v.T @ self.modes.right
        return np.asarray(np.minimum(np.sum(cosines**2, axis=0), 1.0))

    @cached_property
    def _root(self) -> Array:
        alone(self, "the task")
        assert self.cov_xx is not None
        return covariance.root(self.cov_xx)

    @cached_property
    def _whitener(self) -> Array:
        return covariance.inverse_root(self._root)

    @property
    def root(self) -> Array | None:
        """Symmetric square root of cov_xx; None for white inputs."""
        return None if self.cov_xx is None else self._root

    @property
    def whitened(self) -> Array:
        """W* cov_xx^(1/2) (m, d): the least-squares map seen by whitened inputs."""
        alone(self, "the task")
        return self.cov_yx if self.cov_xx is None else self.cov_yx @ self._whitener

    def __repr__(self) -> str:
        if self.shape:
            white = "white" if self.cov_xx is None else self.cov_xx
            return summary(
                self, shape=self.shape, inputs=self.inputs, outputs=self.outputs, cov_xx=white
            )
        return summary(
            self,
            inputs=self.inputs,
            outputs=self.outputs,
            strength=self.strength,
            cov_xx="white" if self.cov_xx is None else self.cov_xx,
        )


def as_task(value: Task, name: str = "task") -> Task:
    """Return one Task; a KindError for an array, which might be cov_yx, weights or data."""
    return alone(as_tasks(value, name), name)


def as_tasks(value: Task, name: str = "task") -> Task:
    """The same, where a stack is as welcome."""
    return instance(value, Task, name, "write Task(cov_yx), or Task.teacher(weights)")


def random_directions(size: int, count: int, rng: Rng) -> Array:
    """`count` orthonormal columns, uniformly distributed (QR of a Gaussian, signs made fair)."""
    q, r = np.linalg.qr(generator(rng).standard_normal((size, count)))
    return q * np.where(np.diag(r) < 0, -1.0, 1.0)


def _check_sizes(cov_yx: Array) -> None:
    """ValueError for a task, or one of a stack, that is zero or out of range."""
    every = np.abs(cov_yx).max(axis=(-2, -1))
    for place in np.argwhere(~((every > 1e-75) & (every < 1e75))):
        largest = float(every[tuple(place)])
        of = f"cov_yx[{', '.join(map(str, place))}]" if place.size else "cov_yx"
        if largest == 0:
            raise ValueError(f"{of} is zero: there is nothing to learn; give a non-zero task")
        raise ValueError(
            f"{of} has entries up to {largest:g}, whose fourth powers leave the range of float64; "
            "rescale the targets"
        )


def _covariance(value: ArrayLike, inputs: int) -> Array | None:
    cov = real_array(value, "cov_xx", ndim=2)
    if cov.shape != (inputs, inputs):
        raise ValueError(f"cov_xx must be ({inputs}, {inputs}); its shape is {cov.shape}")
    size = float(np.abs(cov).max())
    sizes = _sizes(cov)
    if np.abs((cov - cov.T) / sizes / sizes[:, None]).max() > 1e-8:
        raise ValueError("cov_xx must be symmetric; pass 0.5 * (cov_xx + cov_xx.T)")
    if np.abs(cov - np.eye(inputs)).max() <= _ROUNDING:
        return None
    cov = 0.5 * (cov + cov.T)
    lowest = float(np.linalg.eigvalsh(cov / sizes / sizes[:, None])[0])
    if lowest < -1e-8 or size == 0 or np.any(np.diagonal(cov) < 0):
        raise ValueError(
            "cov_xx must be a non-zero positive semidefinite matrix; scaled to unit variances it "
            f"has eigenvalue {lowest:g}"
        )
    return cov


def _sizes(cov: Array) -> Array:
    """The unit each input is in: its standard deviation, the largest of all where it has none."""
    sizes = np.sqrt(np.abs(np.diagonal(cov)))
    return np.where(sizes > 0, sizes, sizes.max() or 1.0)
