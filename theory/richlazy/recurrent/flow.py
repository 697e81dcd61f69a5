"""T16: gradient flow of linear recurrent networks, integrated however stiff it is.

    dV/dt = sum_k E_k C_k',   dU/dt = sum_k O_k' E_k,   dW/dt = sum_(i+j<=T-2) O_j' E_(i+j+1) C_i',

with C_k = W^k U, O_j = V W^j, F_k = V W^k U and E = (S - F) times the metric of the lags. Small
dense networks (see `reduction`), a stack of them at once, by the march of every architecture:
linearly implicit Euler steps, extrapolated, whose implicit part is the Gauss-Newton part J'J of
the Jacobian. Its inverse needs JJ', the tangent kernel over (output, lag, channel), of size T m n
however many units there are. Where error is left, a network of few weights takes steps that know
the whole curvature of the loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import AssumptionError
from richlazy.integration.curvature import LARGEST, SOMEWHERE, Curvature, EulerSteps
from richlazy.integration.march import ORDER, march, total_norm
from richlazy.integration.rest import NOISE, ROUNDING, at_rest, reach
from richlazy.recurrent.curvature import curvature, least_curvature, whole_steps
from richlazy.recurrent.responses import controls, driven, reads
from richlazy.recurrent.step import Step

__all__ = ["Change", "Problem", "integrate", "resting_place", "start_rates"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_GROWN = 5.0  # times the weights that start and task ask for
_BENT = 0.1  # step times error: where the Gauss-Newton part is not enough
_SLOW = 1e-6  # of the fastest rate times the weights: how slow a minimum is that is near
_UPWARDS = 1e-9  # of the fastest rate: what counts as no curvature
_REACHED = 1e-8  # of the fastest rate: what the linear way counts
_LARGEST = 70.0  # power of ten; kernels are squares, and are squared


class Problem(NamedTuple):
    """A stack of s small networks, to be integrated with common time steps.

    inputs (s, p, n), recurrent (s, p, p), readout (s, m, p); target (s, m, T n), the wanted
    responses as the loss sees them; root (T n, T n), the symmetric root of the metric over
    (lag, channel), or None for the identity; rates (3,), how fast inputs, recurrent and readout
    weights move (0 what is not trained, leak^2 on what the leak scales).
    """

    inputs: Array
    recurrent: Array
    readout: Array
    target: Array
    root: Array | None
    rates: tuple[float, float, float]

    @property
    def steps(self) -> int:
        """Number of steps, T."""
        return int(self.target.shape[-1] // self.inputs.shape[-1])


class Change(NamedTuple):
    """Weight changes at one time, shapes of `Problem`, and whether they rest."""

    inputs: Array
    recurrent: Array
    readout: Array
    stationary: NDArray[np.bool_]


def integrate(
    problem: Problem,
    times: Array,
    rtol: float,
    patience: int | None = None,
    order: int = ORDER,
) -> Iterator[tuple[int, Change]]:
    """Yield (index into times, change) for ascending times, infinity allowed.

    Steps are common to the stack; the local error of every network is kept under `rtol` times
    its own weight change.

    Raises
    ------
    AssumptionError
        If weights or the task are so large that their powers overflow.
    ConvergenceError
        If the flow does not settle in `patience` steps, or those that `march` allows.
    """
    parts = (problem.inputs, problem.recurrent, problem.readout)
    _check_range(problem)
    zero = tuple(np.zeros_like(x) for x in parts)
    start = _Point(problem, zero)
    bound = _GROWN * max(float(total_norm(parts).max()), _asked(problem), start.way)

    def point_at(change: Sequence[Array]) -> _Point:
        return start if change is zero else _Point(problem, change)

    for index, change, resting in march(point_at, zero, times, rtol, bound, patience, order):
        yield index, Change(change[0], change[1], change[2], resting)


def _asked(problem: Problem) -> float:
    """Weights, the same in U, W and V, that the largest of the responses wanted asks for."""
    wanted = np.abs(problem.target).reshape(-1, problem.steps, problem.inputs.shape[-1])
    return float(np.max(wanted.max(axis=(0, 2)) ** (1.0 / (2.0 + np.arange(problem.steps)))))


def _check_range(problem: Problem) -> None:
    """Refuse weights whose products over the steps leave the range of float64."""
    w, transposed = problem.recurrent, np.swapaxes(problem.recurrent, -1, -2)
    largest = max(float(np.abs(problem.target).max()), _asked(problem) ** problem.steps, 1.0)
    sides = ((w, problem.inputs), (transposed, np.swapaxes(problem.readout, -1, -2)))
    # C_i and O_j meet in the responses
    products = sum(_power(matrix, x, problem.steps) for matrix, x in sides)
    reached = max(float(np.log10(largest)), products)
    if reached > _LARGEST:
        raise AssumptionError(
            f"weights and responses reach 1e{reached:.0f} over {problem.steps} steps: their "
            "squares leave the range of float64; rescale the network or the task"
        )


def _power(matrix: Array, x: Array, steps: int) -> float:
    """Power of ten, 0 or more, that x, matrix x, matrix^2 x ... reach."""
    power = reached = 0.0
    for _ in range(steps):
        largest = float(np.abs(x).max())
        if largest == 0.0:
            break
        power += float(np.log10(largest))
        reached = max(reached, power)
        x = matrix @ (x / largest)
    return reached


def start_rates(problem: Problem) -> Array:
    """Eigenvalues of the tangent kernel at the start, (s, T m n)."""
    return _Point(problem, [np.zeros_like(x) for x in problem[:3]]).rates


def resting_place(problem: Problem, change: Change) -> str:
    """Where the first network of a stack rests, in words."""
    point = _Point(problem, change[:3])
    return point.curvature(0).where(float(point.haze[0])) if point.few else SOMEWHERE


class _Point:
    """One point of the flow of a stack, with the eigenvectors of its tangent kernel."""

    def __init__(self, problem: Problem, change: Sequence[Array]) -> None:
        self.problem = problem
        self.u, self.w, self.v = (x + c for x, c in zip(problem[:3], change, strict=True))
        self.steps = problem.steps
        s, self.outputs, self.wide = problem.target.shape
        self.channels = self.u.shape[-1]
        self.c = controls(self.w, self.u, self.steps)  # (s, T, p, n)
        self.o = reads(self.w, self.v, self.steps)  # (s, T, m, p)
        response = driven(self.v, self.c)
        self.error = problem.target - self.seen(response)  # (s, m, T n)
        self.rounding = ROUNDING * (_norm(problem.target) + _norm(self.seen(response)))
        # J' z for every unit vector z, weights on orthonormal coordinates: singular values keep
        # digits of slow modes that the kernel itself, their square, would lose
        pulled = self._pulled_coordinates()
        triangle = _triangle(np.swapaxes(pulled, -1, -2))
        self.basis, values, _ = np.linalg.svd(np.swapaxes(triangle, -1, -2), full_matrices=False)
        self._curvatures: dict[int, Curvature] = {}
        self.rates = np.zeros((s, self.outputs * self.wide))
        self.rates[:, : values.shape[-1]] = values**2
        if self.basis.shape[-1] < self.basis.shape[-2]:  # fewer weights than responses
            self.basis = np.linalg.qr(self.basis, mode="complete")[0]

    def seen(self, response: Array) -> Array:
        """Responses over (lag, channel) as the loss sees them."""
        return response if self.problem.root is None else response @ self.problem.root

    def _hankel(self, z: Array) -> Array:
        """z_(k + j) at (j, k), zero beyond the last lag: (..., T m, T n) from (..., m, T n)."""
        t, m, n = self.steps, self.outputs, self.channels
        lags = z.reshape(*z.shape[:-2], m, t, n)
        found = np.zeros((*z.shape[:-2], t, m, t, n))
        for j in range(t):
            found[..., j, :, : t - j, :] = lags[..., j:, :]
        return found.reshape(*z.shape[:-2], t * m, t * n)

    def _pulled_coordinates(self) -> Array:
        """J' z of every unit vector z over (output, lag, channel), (s, T m n, ...)."""
        t, m, n = self.steps, self.outputs, self.channels
        unit = np.eye(m * self.wide).reshape(-1, m, self.wide)
        outer = _triangle(np.swapaxes(self._wide_reads, -1, -2))  # (s, a, T m)
        inner = _triangle(self.wide_controls)  # (s, b, T n)
        if t > 1:  # C_i meets B_(i+1)
            inner_w = _triangle(self.wide_controls[..., : (t - 1) * n])
        back = self._carried_units(outer)
        rate_u, rate_w, rate_v = np.sqrt(self.problem.rates)
        parts = [rate_u * back[..., :n]]
        if t > 1:
            parts.append(rate_w * back[..., n:] @ np.swapaxes(inner_w, -1, -2)[:, None])
        parts.append(rate_v * self.seen(unit) @ np.swapaxes(inner, -1, -2)[:, None])
        return np.concatenate([x.reshape(*x.shape[:2], -1) for x in parts], axis=-1)

    def _carried_units(self, outer: Array) -> Array:
        """B of every unit vector over (output, lag, channel), in coordinates: (s, T m n, a, T n).

        The one at lag k has B_i = O_(k - i)', without the m T n of them side by side.
        """
        t, m, n = self.steps, self.outputs, self.channels
        s, a, _ = outer.shape
        lags = np.moveaxis(outer.reshape(s, a, t, m), -1, 1)  # (s, m, a, T)
        shifted = np.zeros((s, m, t, a, t))  # (k, i)
        for i in range(t):
            shifted[..., i:, :, i] = np.swapaxes(lags[..., : t - i], -1, -2)
        back = np.zeros((s, m, t, n, a, t, n))
        for c in range(n):
            back[..., c, :, :, c] = shifted
        wide = back.reshape(s, m, t * n, -1)
        if self.problem.root is not None:
            wide = np.asarray(self.problem.root @ wide)
        return np.asarray(wide.reshape(s, m * t * n, a, t * n))

    @property
    def wide_controls(self) -> Array:
        """[C_0, C_1, ...], (s, p, T n)."""
        return np.swapaxes(self.c, 1, 2).reshape(self.c.shape[0], self.c.shape[2], -1)

    @property
    def _wide_reads(self) -> Array:
        """O_0 over O_1 over ..., (s, T m, p)."""
        return self.o.reshape(self.o.shape[0], -1, self.o.shape[-1])

    @property
    def fastest(self) -> float:
        return max(float(self.rates.max()), float(_norm(self.error).max()))

    @property
    def way(self) -> float:
        """How far weights go at most if the error is mended linearly, where it can be."""
        most = self.rates.max(axis=-1, keepdims=True)
        reached = self.rates > _REACHED * most
        modes = np.where(reached, self.modes(self.error) ** 2, 0.0)
        return float(np.sqrt(np.sum(modes / np.where(reached, self.rates, 1.0), axis=-1).max()))

    @property
    def precision(self) -> Array:
        error = _norm(self.error)
        return np.where(error > 0, self.rounding / np.where(error > 0, error, 1.0), 0.0)

    @property
    def haze(self) -> Array:
        return np.asarray(self.rounding * np.sqrt(np.sum(self.rates, axis=-1)))

    def step(self, lengths: Array, order: int) -> Step | EulerSteps:
        # powers of W overflow in a step that is far too long; the march then takes a shorter one
        with np.errstate(over="ignore", invalid="ignore"):
            # the error left bends the loss where the Gauss-Newton part knows nothing of it
            if self.few and float(lengths.max() * _norm(self.error).max()) > _BENT:
                return whole_steps(
                    self, [self.curvature(k) for k in range(len(self.u))], lengths, order
                )
            return Step(self, lengths, order)

    def size(self, missed: Sequence[Array]) -> Array:
        return total_norm(missed)

    @property
    def few(self) -> bool:
        """Whether the whole curvature of the loss is cheap."""
        return int(sum(x[0].size for x in (self.u, self.w, self.v))) <= LARGEST

    def curvature(self, k: int) -> Curvature:
        """The whole curvature of the loss of network k."""
        if k not in self._curvatures:
            self._curvatures[k] = curvature(self, k)
        return self._curvatures[k]

    def resting(self, size: Array, rtol: Array) -> tuple[Flags, Flags]:
        """As in `integration.rest`; few weights rest where Newton's step is all that is to go."""
        parts = self.modes(self.error)
        modes, weights = parts**2, total_norm([self.u, self.w, self.v])
        found = reach(modes, self.rates, self.rounding, weights)
        fast = np.sqrt(np.sum(self.rates, axis=-1))
        speed = np.sqrt(np.sum(modes * self.rates, axis=-1))
        still = speed <= NOISE * np.sqrt(np.sum(modes, axis=-1)) * fast

        def minimum(asked: Flags) -> Flags:
            beyond = self.unmode(np.where(found.far, parts, 0.0))
            upwards = np.zeros_like(asked)
            for k in np.flatnonzero(asked):
                least = least_curvature(self, int(k), beyond[k])
                upwards[k] = least >= -_UPWARDS * self.rates[k].max()
            return upwards

        rest, close = at_rest(found, still, size, rtol, minimum)
        if self.few:
            for k in np.flatnonzero(~rest & (speed <= _SLOW * fast**2 * weights)):
                to_go = self.curvature(int(k)).to_go(float(self.haze[k]))
                rest[k] = to_go <= rtol[k] * size[k]
        return rest, close

    @property
    def parts_rates(self) -> tuple[float, float, float]:
        return self.problem.rates

    def unmode(self, components: Array) -> Array:
        """The error with these components (s, T m n) along the basis, (s, m, T n)."""
        flat = self.basis @ components[..., None]
        return np.asarray(flat.reshape(self.error.shape))

    def modes(self, z: Array) -> Array:
        """Components of z (s, m, T n) along the basis, (s, T m n)."""
        flat = z.reshape(len(z), 1, -1)
        return np.asarray((flat @ self.basis)[:, 0])

    def implicit(self, x: Array, h: Array) -> Array:
        """(1 + h K)^-1 x for lanes x (s, l, m, T n), h (l,)."""
        flat = x.reshape(*x.shape[:2], -1)
        damped = flat @ self.basis / (1.0 + h[:, None] * self.rates[:, None])
        return np.asarray((damped @ np.swapaxes(self.basis, -1, -2)).reshape(x.shape))

    def carried_back(self, z: Array) -> Array:
        """B_k = sum_j O_j' z_(k+j) for lanes of errors z in the metric, (s, l, p, T n)."""
        return np.swapaxes(self._wide_reads, -1, -2)[:, None] @ self._hankel(z)

    def forces(self, error: Array) -> tuple[Array, Array, Array]:
        """dU/dt, the B_k of dW/dt = sum B_k C_(k-1)' and dV/dt, for lanes of seen errors."""
        n, z = self.channels, self.seen(error)
        back = self.carried_back(z)
        rate_u, rate_w, rate_v = self.problem.rates
        force_v = z @ np.swapaxes(self.wide_controls, -1, -2)[:, None]
        return rate_u * back[..., :n], rate_w * back[..., n:], rate_v * force_v

    def gain(self, force_u: Array, back: Array, past: Array, force_v: Array) -> Array:
        """J times a move of U, of W by back past' and of V, as the loss sees it: (s, l, m, T n)."""
        t, m, n = self.steps, self.outputs, self.channels
        *lanes, _, _ = force_u.shape
        wide_o, wide_c = self._wide_reads[:, None], self.wide_controls[:, None]
        found = (force_v @ wide_c).reshape(*lanes, m, t, n)
        found += np.swapaxes((wide_o @ force_u).reshape(*lanes, t, m, n), -3, -2)
        if t > 1:
            turned = (wide_o @ back) @ (np.swapaxes(past, -1, -2) @ wide_c)
            pair = turned.reshape(*lanes, t, m, t, n)  # (j, :, i, :) belongs to lag i + j + 1
            for j in range(t - 1):
                found[..., j + 1 :, :] += pair[..., j, :, : t - 1 - j, :]
        return self.seen(found.reshape(*lanes, m, t * n))


def _triangle(x: Array) -> Array:
    """The factor R of x = QR: x but for a rotation of its rows."""
    return np.asarray(np.linalg.qr(x, mode="r"))


def _norm(x: Array) -> Array:
    return total_norm([x])
