"""T11: gradient flow of two-layer linear networks, integrated however stiff it is.

    dW1/dt = W2' E,   dW2/dt = E W1',   E = cov_yx - W2 W1 cov_xx.

The weight *change* is integrated, so that lazy starts keep their digits, by an
extrapolation method: linearly implicit Euler steps H/1, H/2, ..., H/8, extrapolated to
order 8. Its implicit part is the Gauss-Newton part of the Jacobian, -J'J cov_xx, whose
inverse needs only an eigendecomposition of R = W1'W1 and of B = W2 W2' once per step (the
tangent kernel is R (x) I + I (x) B): the rates ||W||^2 of a large start cost nothing, and
steps grow without bound on the way to t = infinity. In the same basis the error that a step
begins with fades as E exp(-rate t), integrated exactly; implicit Euler has only what the weights
moved since then adds to it, little in the lazy limit. What the Jacobian leaves out is of size E and
only affects the error that extrapolation removes. It holds steps up where error is never learned,
and where strong weights turn while weak ones grow: there one network has the whole curvature
instead, if the directions in which the loss curves are few (`two_layer.curvature`).

Within a step W1 changes by W2(l)' C(l), thin factors over the substeps l, so a step costs
products with W1 and one eigendecomposition, never a Jacobian of the whole state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import AssumptionError
from richlazy.integration.curvature import EulerSteps
from richlazy.integration.march import march, sequences, total_norm
from richlazy.integration.rest import NOISE, ROUNDING, at_rest, reach
from richlazy.start import precision
from richlazy.start.covariance import inverse_root
from richlazy.two_layer.curvature import curved, whole_steps

__all__ = ["Change", "Problem", "integrate"]

Array = NDArray[np.float64]

_LARGE = 1e4
_FEW = 260  # directions in which the loss may curve: all of them cost less than what they save
_ENOUGH = 1_000  # steps of a network that knows its curvature: more crawl along a bend
_HELD_UP = 60  # steps, of which most flows need fewer
_STRONG = 1e3  # rates over error, from which weights turn before the slow ones have moved
_STIFFEST = 1e9  # rates over error; at 1e10 rounding keeps the flow from settling
_OUTSIDE = 1e-8  # of the task: what counts as lying outside the rows of W1
_LARGEST = 1e37  # eighth powers


class Problem(NamedTuple):
    """A stack of n networks, to be integrated with common time steps.

    first (n, h, d), readout (n, m, h), cov_yx (n, m, d); root, the symmetric square root of
    cov_xx (d, d), or None for white inputs.
    """

    first: Array
    readout: Array
    cov_yx: Array
    root: Array | None


class Change(NamedTuple):
    """Weight changes at one time: first (n, h, d), readout (n, m, h), and whether they rest."""

    first: Array
    readout: Array
    stationary: NDArray[np.bool_]


class _Known(NamedTuple):
    """What is the same at every point of a flow."""

    inverse: Array | None  #: of the root
    cov: Array | None  #: cov_xx
    graded: bool  #: whether units, inputs or outputs are so unequal that each is judged by itself
    units: bool  #: whether inputs are, in their variance
    alike: bool  #: whether none of them would drown in rounding of what turns them together


def _known(problem: Problem) -> _Known:
    root = problem.root
    both = np.concatenate([*problem.first, *(_t(w) for w in problem.readout)], axis=1)
    task = np.concatenate(problem.cov_yx)
    uneven, units = precision.graded(both), root is not None and precision.graded(root)
    outputs = np.abs(task).max(axis=1, keepdims=True)
    # a weak layer does not drown in a strong one: it is what moves the other
    layers = [precision.graded(np.concatenate(x)) for x in (problem.first, problem.readout)]
    alike = not (any(layers) or units or precision.graded(outputs))
    graded = uneven or precision.graded(task)
    if root is None:
        return _Known(None, None, graded, units, alike)
    return _Known(inverse_root(root), root @ root, graded, units, alike)


class _Frozen:
    """One point of the flow with everything a step from it needs."""

    def __init__(
        self, problem: Problem, known: _Known, change: Sequence[Array], whole: bool = False
    ) -> None:
        self.root, self.whole = problem.root, whole
        self.inverse, self.cov, self.graded, self.units, self.alike = known
        self.w1 = problem.first + change[0]
        self.w2 = problem.readout + change[1]
        product = self.by_covariance(self.w2 @ self.w1)
        self.error = problem.cov_yx - product
        # entry by entry: what rounding makes of a weak input or output is no more than its own
        size = np.abs(self.w2) @ np.abs(self.w1)
        size = size if self.cov is None else size @ np.abs(self.cov)
        self.noise = ROUNDING * (np.abs(problem.cov_yx) + size)
        self.rounding = _norm(self.noise if self.inverse is None else self.noise @ self.inverse)
        # rates not from eigh's values, which leave eps * ||W||^2 of a zero one, but its square
        self.u = np.linalg.eigh(self.w2 @ _t(self.w2))[1]
        beta = np.sum((_t(self.w2) @ self.u) ** 2, axis=-2)[:, :, None]
        moment, seen = _t(self.w1) @ self.w1, self.w1[:, None]
        if self.root is None:
            self.q = np.linalg.eigh(moment)[1][:, None]
            weight = np.ones(1)
        else:
            cov = self.cov
            moment = self.root @ moment @ self.root
            self.q = np.linalg.eigh(moment[:, None] + beta[..., None] * cov)[1]
            seen = seen @ self.root
            weight = np.sum((self.root @ self.q) ** 2, axis=-2)
        self.rates = np.sum((seen @ self.q) ** 2, axis=-2) + beta * weight

    def by_covariance(self, x: Array) -> Array:
        """x cov_xx."""
        return x if self.cov is None else x @ self.cov

    def _modes(self, x: Array) -> Array:
        """Rotate lanes (n, l, m, d) so that the implicit operator is diagonal."""
        rotated: Array = _t(self.u)[:, None] @ x
        if self.root is None:
            return np.asarray(rotated @ self.q)
        # a basis of its own for each output mode: (n, m, d, d)
        return np.asarray(np.einsum("nlmd,nmde->nlme", rotated, self.q))

    def _back(self, x: Array) -> Array:
        if self.root is None:
            rotated: Array = x @ _t(self.q)
        else:
            rotated = np.asarray(np.einsum("nlme,nmde->nlmd", x, self.q))
        return np.asarray(self.u[:, None] @ rotated)

    def implicit(self, x: Array, h: Array) -> Array:
        """Z with Z + h (Z R + B Z) cov_xx = x, lanes (n, l, m, d)."""
        if self.root is None or self.inverse is None:
            return self._solved(x, h)
        z = self._solved(x @ self.inverse, h) @ self.root
        if self.units:  # what is rounding beside the largest input is none beside the small ones
            moved = _dot(_dot(z, _t(self.w1)), self.w1) + (self.w2 @ _t(self.w2))[:, None] @ z
            rest = x - z - self.by_covariance(h[:, None, None] * moved)
            z = z + self._solved(rest @ self.inverse, h) @ self.root
        return z

    def _solved(self, x: Array, h: Array) -> Array:
        """The same where inputs are white, or seen through cov_xx^(1/2)."""
        return self._back(self._modes(x) / (1.0 + h[:, None, None] * self.rates[:, None]))

    def integral(self, error: Array, k: Array, substep: int) -> Array:
        """Of the error over a substep of length k, lanes (n, l, m, d), each after `substep` more.

        What is left of this point's own error is integrated as it fades, the rest implicitly.
        """
        h = k[:, None, None]
        if self.units:  # an exponential in the modes is known beside the largest input only
            return h * self.implicit(error, k)
        x = h * self.rates[:, None]
        fading = self._own * np.exp(-substep * x)
        share = np.where(x > 0, -np.expm1(-x) / np.where(x > 0, x, 1.0), 1.0)
        rest = self._modes(self.whitened(error)) - fading
        found = self._back(h * (fading * share + rest / (1.0 + x)))
        return found if self.root is None else found @ self.root

    def whitened(self, x: Array) -> Array:
        """x cov_xx^(-1/2)."""
        return x if self.inverse is None else x @ self.inverse

    @cached_property
    def _own(self) -> Array:
        """Modes of this point's error (n, 1, m, d)."""
        return self._modes(self.whitened(self.error)[:, None])

    @property
    def fastest(self) -> float:
        return max(float(self.rates.max()), float(_norm(self.error).max()))

    @property
    def precision(self) -> Array:
        error = _norm(self.error)
        return _norm(self.noise) / np.where(error > 0, error, np.inf)

    @property
    def haze(self) -> Array:
        first, readout = np.abs(self.w1), np.abs(self.w2)
        return total_norm([_t(readout) @ self.noise, self.noise @ _t(first)])

    def step(self, lengths: Array, order: int) -> _Step | EulerSteps:
        if self.whole:
            return whole_steps(self, lengths, order)
        return _Step(self, lengths, order)

    def size(self, missed: Sequence[Array]) -> Array:
        return total_norm(missed)

    def resting(self, size: Array, rtol: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether each network, its weights changed by `size`, is at rest, or about to be."""
        modes = self._own[:, 0] ** 2
        found = reach(modes, self.rates, self.rounding, total_norm([self.w1, self.w2]))

        def minimum(_: NDArray[np.bool_]) -> NDArray[np.bool_]:
            return self._minimum(self.whitened(self.error), rtol)

        return at_rest(found, self._still(), size, rtol, minimum)

    def _still(self) -> NDArray[np.bool_]:
        """Whether dW/dt of each hidden unit cancels to rounding, or is that of a large error."""
        speed = _by_unit(_t(self.w2) @ self.error, self.error @ _t(self.w1))
        w1, w2, sizes = np.abs(self.w1), np.abs(self.w2), np.abs(self.error)
        if self.graded:
            terms = _by_unit(_t(w2) @ sizes, sizes @ _t(w1))
        else:
            terms = _by_unit(w1, w2) * _norm(sizes)[:, None]
        haze = _by_unit(_t(w2) @ self.noise, self.noise @ _t(w1))
        stays = _norm(sizes) > _LARGE * _norm(self.noise)
        rounding = np.maximum(NOISE * terms, np.where(stays[:, None], haze, 0.0))
        return np.asarray(np.all(speed <= rounding, axis=1))

    def _minimum(self, error: Array, rtol: Array) -> NDArray[np.bool_]:
        """Whether the loss curves upwards at a critical point with errors u s v' left in it.

        Moves p v' of W1 and u q' of W2 change it by |W2 p|^2/2 + |W1' q|^2/2 - s p'q, s the
        largest; all others by sums of squares.
        """
        seen = self.w1 if self.root is None else self.w1 @ self.root
        sizes = _norm(self.w2)[:, None, None], _norm(seen)[:, None, None]
        ratio = sizes[1] / np.where(sizes[0] > 0, sizes[0], 1.0)  # p, q in comparable units
        ratio = np.where(ratio > 0, ratio, 1.0)
        s = np.linalg.norm(error, 2, axis=(-2, -1))[:, None, None]
        coupling = -s * np.eye(self.w1.shape[1])
        blocks = _t(self.w2) @ self.w2 * ratio, seen @ _t(seen) / ratio
        hessian = np.block([[blocks[0], coupling], [coupling, blocks[1]]])
        if self.units:  # curvature along a large input hides none along a small one
            own = np.sqrt(np.diagonal(hessian, axis1=-2, axis2=-1))
            own = np.where(own > 0, own, 1.0)
            hessian = hessian / (own[:, :, None] * own[:, None, :])
        values = np.linalg.eigvalsh(hessian)
        # the point is known to rtol, and curvature that is 0 at equal strengths no better
        unknown = 100.0 * ROUNDING + 0.1 * rtol
        return np.asarray(values[:, 0] >= -unknown * values[:, -1])


def _t(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


def _by_unit(first: Array, readout: Array) -> Array:
    """Norm of each hidden unit's weights (n, h)."""
    return np.asarray(np.sqrt(np.sum(first**2, axis=-1) + np.sum(readout**2, axis=-2)))


def _norm(x: Array) -> Array:
    return np.asarray(np.sqrt(np.sum(x * x, axis=(-2, -1))))


class _Step:
    """All Euler sequences from one point over one or several lengths, before extrapolation."""

    def __init__(self, point: _Frozen, lengths: Array, order: int) -> None:
        self.lanes, self.order = lengths.size, order
        n, m, h = point.w2.shape
        d = point.w1.shape[2]
        total = order * self.lanes  # lane = sequence * lanes + length
        step = np.tile(lengths, order) / np.repeat(sequences(order), self.lanes)
        self.readouts = np.zeros((n, total, order, m, h))
        self.coefficients = np.zeros((n, total, order, m, d))
        self.change2 = np.zeros((n, total, m, h))
        w1, w2 = point.w1, point.w2
        for i in range(order):
            on = slice(i * self.lanes, total)  # sequences with more than i substeps
            live = total - i * self.lanes
            k = step[on][:, None, None]
            y = self.change2[:, on]
            now = w2[:, None] + y
            self.readouts[:, on, i] = now
            past2 = self.readouts[:, on, :i].reshape(n, live, i * m, h)
            past1 = self.coefficients[:, on, :i].reshape(n, live, i * m, d)
            if i == 0:
                drive = point.integral(point.error[:, None], step[on], i)
                self.change2[:, on] = _dot(drive, _t(w1))
            else:
                moved = _dot(y, w1) + (now @ _t(past2)) @ past1
                error = point.error[:, None] - point.by_covariance(moved)
                # the error that implicit Euler leaves, never raw: a raw one, stiff, would drive
                # weights that it must not; and what the weights moved since the step began adds
                drive = point.integral(error, step[on], i)
                gain = (drive @ _t(past1)) @ past2
                added = _dot(gain, w1) + (w2[:, None] @ _t(y)) @ drive
                drive = drive - k * point.implicit(point.by_covariance(added), step[on])
                self.change2[:, on] = y + _dot(drive, _t(w1)) + (drive @ _t(past1)) @ past2
            self.coefficients[:, on, i] = drive

    def extrapolate(self, weights: Array) -> tuple[Array, Array]:
        """Weighted sum over sequences: (n, lanes, h, d) and (n, lanes, m, h)."""
        n, _, _, m, h = self.readouts.shape
        each = np.repeat(weights, self.lanes)[:, None, None]
        change2 = (self.change2 * each).reshape(n, self.order, self.lanes, m, h).sum(axis=1)

        def rows(x: Array) -> Array:
            split = x.reshape(n, self.order, self.lanes, self.order * m, x.shape[-1])
            return split.transpose(0, 2, 1, 3, 4).reshape(n, self.lanes, -1, x.shape[-1])

        scaled = self.coefficients * each[..., None]
        return _t(rows(self.readouts)) @ rows(scaled), change2


def _dot(x: Array, w: Array) -> Array:
    """x (n, l, m, a) times w (n, a, b), as one product per network."""
    n, lanes, m, a = x.shape
    return (x.reshape(n, lanes * m, a) @ w).reshape(n, lanes, m, -1)


def integrate(
    problem: Problem, times: Array, rtol: float, patience: int | None = None
) -> Iterator[tuple[int, Change]]:
    """Yield (index into times, change) for ascending times, infinity allowed.

    Steps are common to the stack; the local error of every network is kept under `rtol`
    times its own weight change. t = infinity is reached when, for every network, the
    Gauss-Newton step still to go is below rtol times its weight change, or dW/dt is
    rounding noise (a saddle, where the flow rests for ever in exact arithmetic).

    Raises
    ------
    AssumptionError
        If weights or the root of cov_yx are so large that their powers overflow.
    ConvergenceError
        If the flow does not settle in the steps that `march` allows, or in `patience` of them.
    """
    weights = max(float(np.abs(w).max(initial=0.0)) for w in (problem.first, problem.readout))
    largest = max(weights, float(np.sqrt(np.abs(problem.cov_yx).max())))
    if largest > _LARGEST:
        raise AssumptionError(
            f"W1, W2 and the root of cov_yx must be below {_LARGEST:g}, or their powers leave the "
            f"range of float64; they reach {largest:g}: rescale both by a common factor"
        )
    known = _known(problem)
    zero = np.zeros_like(problem.first), np.zeros_like(problem.readout)
    start = _Frozen(problem, known, zero)
    task = np.maximum(_norm(start.error), _norm(problem.cov_yx))
    stiffness = float(np.max(start.rates.max(axis=(1, 2)) / np.where(task > 0, task, np.inf)))
    if stiffness > _STIFFEST and np.isinf(times[-1]):
        raise AssumptionError(
            f"||W||^2 is {stiffness:.1g} times the task: so deep in the lazy limit rounding hides "
            "when the flow settles; ask for a finite time, a smaller norm or the closed form"
        )
    if np.isinf(times[-1]):
        _refuse_hidden(start, problem)
    points = count()
    (n, hidden, inputs), outputs = problem.first.shape, problem.readout.shape[1]
    few = n == 1 and known.alike and curved(hidden, inputs, outputs) <= _FEW

    def point_at(change: Sequence[Array]) -> _Frozen:
        held_up = next(points) > _HELD_UP or stiffness > _STRONG
        return _Frozen(problem, known, change, held_up and few)

    if patience is None and few:
        patience = _ENOUGH
    for index, change, resting in march(point_at, zero, times, rtol, patience=patience):
        yield index, Change(change[0], change[1], resting)


def _refuse_hidden(start: _Frozen, problem: Problem) -> None:
    """AssumptionError if rounding of what a first layer learns at once hides what it learns last.

    Where the first layer is the stronger one, the readout shrinks to learn what lies in its rows,
    and inputs outside them are learned through what is left of it, at rates of task^2 / ||W1||^2:
    a row that is slower than this teaches nothing.
    """
    w1, w2, task = problem.first, problem.readout, start.whitened(problem.cov_yx)
    seen, strength = w1 if problem.root is None else w1 @ problem.root, _norm(task)
    rates, rows = np.linalg.svd(seen, full_matrices=False)[1:]
    rates = rates**2
    fastest = rates.max(axis=1, keepdims=True, initial=0.0)
    kept = (rates * fastest > strength[:, None] ** 2)[:, :, None] * rows
    outside = _norm(task - task @ _t(kept) @ kept) > _OUTSIDE * strength
    stiff = fastest[:, 0] / np.where(strength > 0, strength, np.inf)
    hidden = outside & (stiff > _STIFFEST) & (_norm(w1) >= _norm(w2))
    if np.any(hidden):
        raise AssumptionError(
            f"||W1||^2 is {np.max(stiff[hidden]):.1g} times the task, part of which lies outside "
            "its rows: rounding of what is learned at once hides what is learned last; ask for a "
            "finite time or a smaller norm"
        )
