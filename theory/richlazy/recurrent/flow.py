"""T16: gradient flow of linear recurrent networks, integrated however stiff it is.

    dV/dt = sum_k E_k C_k',   dU/dt = sum_k O_k' E_k,   dW/dt = sum_(i+j<=T-2) O_j' E_(i+j+1) C_i',

with C_k = W^k U, O_j = V W^j, F_k = V W^k U and E = (S - F) times the metric of the lags. Small
dense networks (see `reduction`), a stack of them at once, by the march of every architecture:
linearly implicit Euler steps, extrapolated, whose implicit part is the Gauss-Newton part J'J of
the Jacobian. Its inverse needs JJ', the tangent kernel over (output, lag, channel), of size T m n
however many units there are. Within a step W moves by thin factors, B_k C_(k-1)' with B the
errors carried back, so that no substep costs more than products with the W it began from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import AssumptionError
from richlazy.integration.march import STEPS, march, total_norm
from richlazy.recurrent.rest import at_rest

__all__ = ["Change", "Problem", "controls", "driven", "integrate", "reads", "start_rates"]

Array = NDArray[np.float64]

_ROUNDING = 1e-15
_BEYOND = 1e70  # of a step
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


def controls(recurrent: Array, inputs: Array, steps: int) -> Array:
    """C_k = W^k U for k < steps, (..., steps, p, n)."""
    found = [inputs]
    for _ in range(steps - 1):
        found.append(recurrent @ found[-1])
    return np.stack(found, axis=-3)


def reads(recurrent: Array, readout: Array, steps: int) -> Array:
    """O_j = V W^j for j < steps, (..., steps, m, p)."""
    found = [readout]
    for _ in range(steps - 1):
        found.append(found[-1] @ recurrent)
    return np.stack(found, axis=-3)


def driven(readout: Array, c: Array) -> Array:
    """V C_k over (lag, channel), (..., m, T n)."""
    each = readout[..., None, :, :] @ c
    return np.moveaxis(each, -3, -2).reshape(*each.shape[:-3], each.shape[-2], -1)


def integrate(problem: Problem, times: Array, rtol: float) -> Iterator[tuple[int, Change]]:
    """Yield (index into times, change) for ascending times, infinity allowed.

    Steps are common to the stack; the local error of every network is kept under `rtol` times
    its own weight change.

    Raises
    ------
    AssumptionError
        If weights or the task are so large that their powers overflow.
    ConvergenceError
        If the flow does not settle in the steps that `march` allows.
    """
    parts = (problem.inputs, problem.recurrent, problem.readout)
    _check_range(problem)
    zero = tuple(np.zeros_like(x) for x in parts)
    for index, change, resting in march(lambda change: _Point(problem, change), zero, times, rtol):
        yield index, Change(change[0], change[1], change[2], resting)


def _check_range(problem: Problem) -> None:
    """Refuse weights whose products over the steps leave the range of float64."""
    w, transposed = problem.recurrent, np.swapaxes(problem.recurrent, -1, -2)
    reached = float(np.log10(max(float(np.abs(problem.target).max()), 1.0)))
    for matrix, x in ((w, problem.inputs), (transposed, np.swapaxes(problem.readout, -1, -2))):
        power = 0.0
        for _ in range(problem.steps):
            largest = float(np.abs(x).max())
            if largest == 0.0:
                break
            power += float(np.log10(largest))
            reached = max(reached, power)
            x = matrix @ (x / largest)
    if reached > _LARGEST:
        raise AssumptionError(
            f"weights and responses reach 1e{reached:.0f} over {problem.steps} steps: their "
            "squares leave the range of float64; rescale the network or the task"
        )


def start_rates(problem: Problem) -> Array:
    """Eigenvalues of the tangent kernel at the start, (s, T m n)."""
    return _Point(problem, [np.zeros_like(x) for x in problem[:3]]).rates


class _Point:
    """One point of the flow of a stack, with the eigenvectors of its tangent kernel."""

    def __init__(self, problem: Problem, change: Sequence[Array]) -> None:
        self.problem = problem
        self.u, self.w, self.v = (x + c for x, c in zip(problem[:3], change, strict=True))
        self.steps = problem.steps
        s, self.outputs, self.size = problem.target.shape
        self.channels = self.u.shape[-1]
        self.c = controls(self.w, self.u, self.steps)  # (s, T, p, n)
        self.o = reads(self.w, self.v, self.steps)  # (s, T, m, p)
        response = driven(self.v, self.c)
        self.error = problem.target - self.seen(response)  # (s, m, T n)
        self.rounding = _ROUNDING * (_norm(problem.target) + _norm(self.seen(response)))
        # J' z for every unit vector z, weights on orthonormal coordinates: singular values keep
        # digits of slow modes that the kernel itself, their square, would lose
        pulled = self._pulled_coordinates()
        triangle = _triangle(np.swapaxes(pulled, -1, -2))
        self.basis, values, _ = np.linalg.svd(np.swapaxes(triangle, -1, -2), full_matrices=False)
        self.rates = np.zeros((s, self.outputs * self.size))
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
        unit = np.eye(m * self.size).reshape(-1, m, self.size)
        outer = _triangle(np.swapaxes(self._wide_reads, -1, -2))  # (s, a, T m)
        inner = _triangle(self._wide_controls)  # (s, b, T n)
        if t > 1:  # C_i meets B_(i+1)
            inner_w = _triangle(self._wide_controls[..., : (t - 1) * n])
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
            wide = self.problem.root @ wide
        return np.asarray(wide.reshape(s, m * t * n, a, t * n))

    @property
    def _wide_controls(self) -> Array:
        """[C_0, C_1, ...], (s, p, T n)."""
        return np.moveaxis(self.c, 1, 2).reshape(self.c.shape[0], self.c.shape[2], -1)

    @property
    def _wide_reads(self) -> Array:
        """O_0 over O_1 over ..., (s, T m, p)."""
        return self.o.reshape(self.o.shape[0], -1, self.o.shape[-1])

    @property
    def fastest(self) -> float:
        return max(float(self.rates.max()), float(_norm(self.error).max()))

    @property
    def precision(self) -> Array:
        error = _norm(self.error)
        return np.where(error > 0, self.rounding / np.where(error > 0, error, 1.0), 0.0)

    @property
    def haze(self) -> Array:
        return np.asarray(self.rounding * np.sqrt(np.sum(self.rates, axis=-1)))

    def step(self, lengths: Array) -> _Step:
        return _Step(self, lengths)

    def resting(self, size: Array, rtol: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        return at_rest(self, size, rtol)

    @property
    def weights_rates(self) -> tuple[float, float, float]:
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
        force_v = z @ np.swapaxes(self._wide_controls, -1, -2)[:, None]
        return rate_u * back[..., :n], rate_w * back[..., n:], rate_v * force_v

    def gain(self, force_u: Array, back: Array, past: Array, force_v: Array) -> Array:
        """J times a move of U, of W by back past' and of V, as the loss sees it: (s, l, m, T n)."""
        t, m, n = self.steps, self.outputs, self.channels
        *lanes, _, _ = force_u.shape
        wide_o, wide_c = self._wide_reads[:, None], self._wide_controls[:, None]
        found = (force_v @ wide_c).reshape(*lanes, m, t, n)
        found += np.moveaxis((wide_o @ force_u).reshape(*lanes, t, m, n), -3, -2)
        if t > 1:
            turned = (wide_o @ back) @ (np.swapaxes(past, -1, -2) @ wide_c)
            pair = turned.reshape(*lanes, t, m, t, n)  # (j, :, i, :) belongs to lag i + j + 1
            for j in range(t - 1):
                found[..., j + 1 :, :] += pair[..., j, :, : t - 1 - j, :]
        return self.seen(found.reshape(*lanes, m, t * n))


class _Step:
    """All Euler sequences from one point over one or several lengths, before extrapolation.

    W has moved by left right', (T - 1) n columns for every substep and for the implicit part.
    """

    def __init__(self, point: _Point, lengths: Array) -> None:
        self.point, self.lanes = point, lengths.size
        orders = STEPS.size
        s, m, p = point.v.shape
        n, t = point.channels, point.steps
        wide = (t - 1) * n
        total = orders * self.lanes  # lane = sequence * lanes + length
        step = np.tile(lengths, orders) / np.repeat(STEPS, self.lanes)
        self.change_u = np.zeros((s, total, p, n))
        self.change_v = np.zeros((s, total, m, p))
        # first the implicit part, against the C_0 ... C_(T-2) from which the step began
        self.left = np.zeros((s, total, p, (orders + 1) * wide))
        self.right = np.zeros((s, total, p, (orders + 1) * wide))
        self.right[..., :wide] = point._wide_controls[:, None, :, :wide]
        with np.errstate(over="ignore", invalid="ignore"):  # of steps that are far too long
            self._take(step)
        self._mark()

    def _take(self, step: Array) -> None:
        point, orders, total = self.point, STEPS.size, step.size
        p, n, t = point.v.shape[-1], point.channels, point.steps
        wide = (t - 1) * n
        rate_u, rate_w, rate_v = point.problem.rates
        for i in range(orders):
            on = slice(i * self.lanes, total)  # sequences with more than i substeps
            k = step[on][:, None, None]
            du, dv = self.change_u[:, on], self.change_v[:, on]
            done, here = slice((i + 1) * wide), slice((i + 1) * wide, (i + 2) * wide)
            moved = _Moved(point, self.left[:, on, :, done], self.right[:, on, :, done])
            c, dc = moved.forward(du)  # C_k now, and by how much each has moved
            now_v = point.v[:, None] + dv
            response = _lagged(now_v, dc) + _lagged(dv, point.c[:, None])
            error = point.error[:, None] - point.seen(response)
            z = point.seen(error)
            carried = moved.backward(now_v, z)  # B_0 ... B_(T-1), (s, l, p, T n)
            wide_c = np.moveaxis(c, -3, -2).reshape(*c.shape[:2], p, t * n)
            force_u, force_b = rate_u * carried[..., :n], rate_w * carried[..., n:]
            force_v = rate_v * (z @ np.swapaxes(wide_c, -1, -2))
            gain = point.gain(force_u, force_b, wide_c[..., :wide], force_v)
            pull_u, pull_b, pull_v = point.forces(point.implicit(k * gain, step[on]))
            self.change_u[:, on] = du + k * (force_u - pull_u)
            self.change_v[:, on] = dv + k * (force_v - pull_v)
            if wide:
                self.left[:, on, :, here] = k * force_b
                self.right[:, on, :, here] = wide_c[..., :wide]
                self.left[:, on, :, :wide] -= k * pull_b

    def _mark(self) -> None:
        """NaN for the lengths over which a sequence left all bounds: `march` takes shorter ones."""
        moved = (self.change_u, self.change_v, self.left, self.right)
        size = [
            np.maximum(x.max((0, 2, 3), initial=0.0), -x.min((0, 2, 3), initial=0.0)) for x in moved
        ]
        lost = ~(np.max(size, axis=0) < _BEYOND)
        if np.any(lost):
            for x in moved:
                x[:, lost] = np.nan

    def extrapolate(self, weights: Array) -> tuple[Array, Array, Array]:
        """Weighted sum over sequences: changes of U, W and V, (s, lanes, rows, columns)."""
        each = np.repeat(weights, self.lanes)[:, None, None]

        def summed(x: Array) -> Array:
            scaled = (x * each).reshape(len(x), STEPS.size, self.lanes, *x.shape[2:])
            return np.asarray(scaled.sum(axis=1))

        def rows(x: Array) -> Array:
            s, _, p, wide = x.shape
            split = x.reshape(s, STEPS.size, self.lanes, p, wide)
            return split.transpose(0, 2, 3, 1, 4).reshape(s, self.lanes, p, -1)

        w = rows(self.left * each) @ np.swapaxes(rows(self.right), -1, -2)
        return summed(self.change_u), w, summed(self.change_v)


class _Moved:
    """Products with W as it has moved within a step, W + left right'."""

    def __init__(self, point: _Point, left: Array, right: Array) -> None:
        self.point, self.left, self.right = point, left, right

    def forward(self, change_u: Array) -> tuple[Array, Array]:
        """C_k now and C_k - C_k(start of the step), (s, l, T, p, n)."""
        point = self.point
        dc = [change_u]
        c = [point.c[:, None, 0] + change_u]
        turned = np.swapaxes(self.right, -1, -2)
        for k in range(1, point.steps):
            moved = _shared(point.w, dc[-1]) + self.left @ (turned @ c[-1])
            dc.append(moved)
            c.append(point.c[:, None, k] + moved)
        return np.stack(c, axis=-3), np.stack(dc, axis=-3)

    def backward(self, readout: Array, z: Array) -> Array:
        """B_k = V' z_k + W' B_(k+1), side by side: (s, l, p, T n)."""
        point = self.point
        n, turned = point.channels, np.swapaxes(self.left, -1, -2)
        pulled = np.swapaxes(readout, -1, -2) @ z
        found = [pulled[..., -n:]]
        transposed = np.swapaxes(point.w, -1, -2)
        for k in range(point.steps - 2, -1, -1):
            last = found[0]
            carried = _shared(transposed, last) + self.right @ (turned @ last)
            found.insert(0, pulled[..., k * n : (k + 1) * n] + carried)
        return np.concatenate(found, axis=-1)


def _lagged(readout: Array, c: Array) -> Array:
    """V C_k side by side over (lag, channel): (s, l, m, T n)."""
    return driven(readout, np.broadcast_to(c, (*readout.shape[:2], *c.shape[2:])))


def _shared(w: Array, x: Array) -> Array:
    """w (s, p, p) times x (s, l, p, n), as one product per network."""
    s, lanes, p, n = x.shape
    rows = np.swapaxes(x, -1, -2).reshape(s, lanes * n, p) @ np.swapaxes(w, -1, -2)
    return np.swapaxes(rows.reshape(s, lanes, n, p), -1, -2)


def _triangle(x: Array) -> Array:
    """The factor R of x = QR: x but for a rotation of its rows."""
    return np.asarray(np.linalg.qr(x, mode="r"))


def _norm(x: Array) -> Array:
    return total_norm([x])
