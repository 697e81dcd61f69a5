"""A task of a recurrent network: the response wanted at every lag."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import (
    Rng,
    afford,
    generator,
    instance,
    integer,
    nonnegative,
    positive,
    real_array,
)
from richlazy.start.stack import Stack, alone
from richlazy.summary import summary

__all__ = ["Task", "as_task", "as_tasks"]

Array = NDArray[np.float64]

_ROUNDING = 1e-12  # relative; covariances from trials carry sums of many roundings


class Task(Stack):
    """The response S_k wanted to an input k steps before the end, k = 0 ... T - 1.

    The excess loss of a network with responses F_k = V W^k U is
    1/2 sum_k w_k ||S_k - F_k||^2, or with cov 1/2 tr (S - F) cov (S - F)' over (lag, channel).

    Parameters
    ----------
    response
        S, (steps, outputs, channels); a vector (steps,) is one output and one channel, an array
        (..., steps, outputs, channels) a stack of tasks, with weights or cov in common.
    weights
        w_k >= 0, (steps,): how often lag k counts, such as the number of scored steps after it.
        None is 1 each.
    cov
        Covariance of the inputs over (lag, channel), lag first, (steps * channels,) squared.
        None means inputs that are white over steps and channels. It excludes `weights`.

    Attributes
    ----------
    shape : tuple
        Leading axes of a stack, of which `task[i]` is one; () for one task.

    Raises
    ------
    ValueError
        If shapes do not fit, nothing is to be learned, or cov is not a covariance.

    Examples
    --------
    >>> Task([0.0, 0.0, 1.0])
    Task(steps=3, channels=1, outputs=1, strength=1)
    """

    def __init__(
        self,
        response: ArrayLike,
        weights: ArrayLike | None = None,
        cov: ArrayLike | None = None,
    ) -> None:
        s = real_array(response, "response")
        if s.ndim in (0, 2):
            raise ValueError(f"response must have 1, 3 or more dimensions; its shape is {s.shape}")
        self.response = s[:, None, None] if s.ndim == 1 else s
        self.shape = self.response.shape[:-3]
        self.weights = None if weights is None else nonnegative(weights, "weights", ndim=1)
        if self.weights is not None:
            if self.weights.shape != (self.steps,):
                raise ValueError(
                    f"weights must be one number for each of {self.steps} lags; its shape is "
                    f"{self.weights.shape}"
                )
            if np.all(self.weights == 1.0):
                self.weights = None
        if cov is not None and weights is not None:
            raise ValueError("weights and cov exclude each other: scale the lags of cov instead")
        self.cov = None if cov is None else _covariance(cov, self.steps * self.channels)
        every = np.abs(self.seen).max(axis=(-2, -1))
        for place in np.ndindex(self.shape):
            largest, which = every[place], f"task {place}" if place else "the task"
            if largest == 0.0:
                raise ValueError(
                    f"{which} is zero: there is nothing to learn; give a non-zero response"
                )
            if not 1e-75 < largest < 1e75:
                raise ValueError(
                    f"response, as the loss sees it, has entries up to {largest:g}, whose fourth "
                    "powers leave the range of float64; rescale it"
                )

    def __getitem__(self, place: int | tuple[int, ...]) -> Task:
        """One task of a stack, or a stack of what further axes hold."""
        return Task(self.response[self._place(place)], self.weights, self.cov)

    def _spread(self, shape: tuple[int, ...]) -> Task:
        """The same in a larger stack, broadcast."""
        if shape == self.shape:
            return self
        response = np.broadcast_to(self.response, (*shape, *self.response.shape[-3:]))
        return Task(response, self.weights, self.cov)

    @classmethod
    def from_data(cls, x: ArrayLike, y: ArrayLike) -> Task:
        """The least-squares responses of trials, and the covariance of their inputs; not centred.

        Parameters
        ----------
        x
            Inputs, (trials, steps, channels), in the order of time.
        y
            Targets at the last step, (trials, outputs) or (trials,).

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> x = rng.standard_normal((50, 3, 1))
        >>> Task.from_data(x, x[:, 0]).response.ravel().round(12) + 0.0  # the oldest input
        array([0., 0., 1.])
        """
        inputs = real_array(x, "x", ndim=3)
        targets = real_array(y, "y", ndim=(1, 2))
        targets = targets[:, None] if targets.ndim == 1 else targets
        trials, steps, channels = inputs.shape
        if trials != len(targets):
            raise ValueError(
                f"x and y must have one row per trial; they have {trials} and {len(targets)}"
            )
        lagged = inputs[:, ::-1].reshape(trials, steps * channels)
        # columns in units of their own size: a clock may stand beside a feature of order 1
        size = np.sqrt(np.mean(lagged**2, axis=0))
        unit = np.where(size > 0, size, 1.0)
        found = np.linalg.lstsq(lagged / unit, targets, rcond=None)[0] / unit[:, None]
        response = found.T.reshape(-1, steps, channels).transpose(1, 0, 2)
        return cls(response, cov=lagged.T @ lagged / trials)

    @classmethod
    def random(
        cls,
        steps: int,
        channels: int = 1,
        outputs: int = 1,
        strength: float = 1.0,
        *,
        rng: Rng,
    ) -> Task:
        """Independent normal responses at every lag, ||S|| = strength.

        Examples
        --------
        >>> round(Task.random(5, strength=3.0, rng=np.random.default_rng(0)).strength, 12)
        3.0
        """
        t, m, n = (
            integer(steps, "steps"),
            integer(outputs, "outputs"),
            integer(channels, "channels"),
        )
        what = f"a response of {t:g} x {m:g} x {n:g}"
        afford(16.0 * t * m * n, what, "lower steps, outputs or channels")
        s = generator(rng).standard_normal((t, m, n))
        return cls(s * (float(positive(strength, "strength", ndim=0)) / np.linalg.norm(s)))

    @property
    def steps(self) -> int:
        """Number of steps, T."""
        return int(self.response.shape[-3])

    @property
    def outputs(self) -> int:
        """Number of outputs, m."""
        return int(self.response.shape[-2])

    @property
    def channels(self) -> int:
        """Number of input channels, n."""
        return int(self.response.shape[-1])

    @cached_property
    def root(self) -> Array | None:
        """Symmetric root of the metric over (lag, channel); None where it is the identity."""
        if self.cov is not None:
            values, vectors = np.linalg.eigh(self.cov)
            return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
        if self.weights is not None:
            return np.diag(np.sqrt(np.repeat(self.weights, self.channels)))
        return None

    def see(self, response: Array) -> Array:
        """Responses (..., steps, outputs, channels) as the loss sees them, (..., m, T n)."""
        *stack, steps, outputs, channels = response.shape
        flat = np.moveaxis(response, -2, -3).reshape(*stack, outputs, steps * channels)
        return flat if self.root is None else flat @ self.root

    @property
    def seen(self) -> Array:
        """The wanted responses as the loss sees them, (..., m, T n)."""
        return self.see(self.response)

    @cached_property
    def strength(self) -> float:
        """Norm of the wanted responses as the loss sees them; ||S|| for white inputs."""
        return float(np.linalg.norm(alone(self, "the task").seen))

    def __repr__(self) -> str:
        sizes = {"steps": self.steps, "channels": self.channels, "outputs": self.outputs}
        weights = {} if self.weights is None else {"weights": self.weights}
        cov = {} if self.cov is None else {"cov": self.cov}
        if self.shape:
            return summary(self, shape=self.shape, **sizes, **weights, **cov)
        return summary(self, **sizes, strength=self.strength, **weights, **cov)


def as_task(value: Task, name: str = "task") -> Task:
    """Return one Task; a KindError for an array, which might be responses or data."""
    return alone(as_tasks(value, name), name)


def as_tasks(value: Task, name: str = "task") -> Task:
    """The same, where a stack is as welcome."""
    remedy = "write recurrent.Task(response), or recurrent.Task.from_data(x, y)"
    return instance(value, Task, name, remedy)


def _covariance(value: ArrayLike, size: int) -> Array | None:
    cov = real_array(value, "cov", ndim=2)
    if cov.shape != (size, size):
        raise ValueError(
            f"cov over (lag, channel) must be ({size}, {size}); its shape is {cov.shape}"
        )
    largest = float(np.abs(cov).max())
    if np.abs(cov - cov.T).max() > 1e-8 * largest:
        raise ValueError("cov must be symmetric; pass 0.5 * (cov + cov.T)")
    if np.abs(cov - np.eye(size)).max() <= _ROUNDING:
        return None
    cov = 0.5 * (cov + cov.T)
    lowest = float(np.linalg.eigvalsh(cov)[0])
    if lowest < -1e-8 * largest or largest == 0:
        raise ValueError(
            f"cov must be a non-zero positive semidefinite matrix; it has eigenvalue {lowest:g}"
        )
    return cov
