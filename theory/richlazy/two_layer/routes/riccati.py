"""The matrix Riccati solution (T5) as a route of `solve`: measures and true weights at times."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from richlazy import laziness
from richlazy.errors import AssumptionError, ConvergenceError
from richlazy.integration.interpolation import FEW, in_log_time
from richlazy.laziness import Alignments, Measures, Traces
from richlazy.start import matrices, precision
from richlazy.start.network import Network
from richlazy.start.task import Modes
from richlazy.two_layer import flow
from richlazy.two_layer.flow import Change
from richlazy.two_layer.reduction.krylov import Reduced
from richlazy.two_layer.riccati import Balanced
from richlazy.two_layer.routes.certificate import left_unlearned
from richlazy.two_layer.routes.doubt import Doubt, moved
from richlazy.two_layer.transport import transported

__all__ = ["ByRiccati", "seems_balanced"]

Array = NDArray[np.float64]

_ROUNDING = 1e-15
_SEEMS = 1e-9
_UNDECIDED = 2e-14  # overlaps of weak units that are more than rounding of a sum
_DIFFERENCE = 1e-6  # weight changes below this share of the weights lose digits as differences
_FLOW = 1e-11
_LOOSER = 100.0
_BETWEEN = 1e-11  # nodes of interpolation
_MISTAKEN = 1e-4
_LEAST = 1e-300  # losses below it are 0
_GONE = 1e-4  # noise of a loss from which it is not interpolated
_CHUNK = 60_000  # entries of the factors worked on at once: they stay in cache


class ByRiccati:
    """T5 on the directions of a network that can move.

    Parameters
    ----------
    reduced
        The small network, of white inputs.
    unit
        Rounding unit of its weights.
    modes
        Singular value decomposition of its task, where it is known.

    Raises
    ------
    AssumptionError
        If it is not lambda-balanced.
    """

    method = "riccati (T5)"

    def __init__(
        self, reduced: Reduced, unit: float = precision.EPS, modes: Modes | None = None
    ) -> None:
        self.reduced = reduced
        first, readout, cov_yx, _ = reduced.problem
        self.balanced = Balanced(first[0], readout[0], cov_yx[0], unit, modes)
        found = self.balanced
        if found.rank < first.shape[1]:
            raise AssumptionError(
                f"hidden directions of {found.dropped:.1e} of the largest weights are rounding "
                "beside them in the closed form"
            )
        if found.dropped > _UNDECIDED:
            raise AssumptionError(
                f"the start overlaps with growing directions by {found.dropped:.1e} of its "
                "weights, which rounding in the closed form cannot tell from zero"
            )
        map_size = float(np.sum(found.strengths**2))
        self._doubt, self._weights = Doubt(_ROUNDING**2 * map_size), _ROUNDING
        self._by = "transport"
        a, b = found.start
        self._target = np.zeros((len(b), len(a)))
        np.fill_diagonal(self._target[: found.strengths.size], found.strengths)
        self._target_norm = float(np.sqrt(map_size))
        self._task_square = map_size + 2.0 * float(reduced.out_of_reach)
        self._entries = (len(a) + len(b)) * found.rank
        self._size = float(np.sqrt(np.sum(a**2) + np.sum(b**2)))
        largest = float(np.abs(a.T @ a + b.T @ b).sum(axis=1).max(initial=0.0))  # above ||Q||_2^2
        fastest = max(float(found.strengths.max(initial=0.0)), abs(found.level), largest)
        self._rate = 0.5 * fastest or 1.0

    @cached_property
    def assumptions(self) -> tuple[str, ...]:
        """What it needs, and what is never learned."""
        found = self.balanced
        lost = (
            f"overlaps of the start with growing directions of at most {found.dropped:.0e} of its "
            "weights, taken for rounding of zero",
        )
        return (
            "white inputs",
            f"lambda-balanced: W2'W2 - W1 W1' = {found.level:.6g} I on {found.rank} hidden "
            f"directions, to {found.gap:.1e}",
            *self.reduced.said,
            *(lost if found.dropped > 0.0 else ()),
            *left_unlearned(self.reduced, float(self.alignments(np.array([np.inf])).loss[0])),
        )

    @property
    def accuracy(self) -> str:
        """What bounds the error of the representation and of the weights."""
        return (
            f"closed form: representation, readout and function to {self._doubt}; weights by "
            f"{self._by}, estimated error {self._weights:.0e} relative"
        )

    @property
    def doubt(self) -> Doubt:
        """The largest errors of what was handed out so far, weights among it."""
        found = Doubt(self._doubt.floor).include(self._doubt)
        found.relative = max(found.relative, self._weights)
        return found

    @property
    def error(self) -> float:
        """Estimated relative error of the alignments handed out so far."""
        return self._doubt.relative

    def weights(self, at: Array) -> tuple[Array, Array]:
        """W1 (n, r, d) and W2 (n, m, r), up to a rotation of the hidden units common to both."""
        first, readout = self.balanced.factors(at)
        basis_in, basis_out = self.balanced.bases
        return np.swapaxes(self.reduced.right @ basis_in @ first, 1, 2), basis_out @ readout

    def changes(self, at: Array) -> list[Change]:
        """Changes of the small network by transport, and by the flow where that loses digits."""
        try:
            changes, lost = self._transported(at)
        except ConvergenceError as refusal:
            changes, lost = [], np.arange(at.size)
            self._by = f"the flow ({refusal})"
        if lost.size:
            integrated = list(flow.integrate(self.reduced.problem, at[lost], _FLOW))
            self._weights = max(
                self._weights,
                self._mistaken(at[lost], integrated),
                self._loose(at[lost], integrated),
            )
            changes = changes or [change for _, change in integrated]
            for k, change in integrated:
                changes[int(lost[k])] = change
        return changes

    def _loose(self, at: Array, integrated: list[tuple[int, Change]]) -> float:
        """How far each layer's change is from that of numbers a rounding away, loosely found."""
        other, worst = moved(self.reduced).problem, 0.0
        loose = flow.integrate(other, at, _LOOSER * _FLOW)
        for (_, one), (_, two) in zip(integrated, loose, strict=True):
            for x, y in ((one.first, two.first), (one.readout, two.readout)):
                worst = max(worst, float(np.linalg.norm(x - y)) / (float(np.linalg.norm(x)) or 1.0))
        return worst

    def _mistaken(self, at: Array, integrated: list[tuple[int, Change]]) -> float:
        """How far integrated weights are from the exact Q Q', relative to Q."""
        problem, worst = self.reduced.problem, 0.0
        for exact, (_, change) in zip(self.balanced.second_moment(at), integrated, strict=True):
            weights = problem.first[0] + change.first[0], problem.readout[0] + change.readout[0]
            q = np.concatenate([weights[0].T, weights[1]])
            gap = np.linalg.norm(q @ q.T - exact) / (np.linalg.norm(exact) or 1.0)
            worst = max(worst, float(gap))
        if worst > _MISTAKEN:
            raise ConvergenceError(
                "weights come so close to 0 that rounding decides how they turn: integrated ones "
                f"miss the exact representation and readout by {worst:.1e}; the loss, the "
                "alignments, representation, readout and function do not depend on it: ask for them"
            )
        return worst

    def _transported(self, at: Array) -> tuple[list[Change], NDArray[np.intp]]:
        """Changes, and where they are too small beside the weights to be their difference."""
        found = self.balanced
        start = np.concatenate(found.start)

        def factor(times: Array) -> Array:
            return np.concatenate(found.factors(times), axis=1)

        weights, error = transported(factor, at, self._rate)
        change = weights - start
        share = np.sqrt(np.sum(change**2, axis=(1, 2))) / (self._size or 1.0)
        kept = share >= _DIFFERENCE
        split = found.start[0].shape[0]
        # each layer's change relative to itself
        parts = [np.linalg.norm(x[kept], axis=(1, 2)) for x in np.split(change, [split], axis=1)]
        least = np.concatenate(parts)
        if np.any(least > 0):
            rounding = (error + _ROUNDING) * self._size / float(least[least > 0].min())
            blur = self.balanced.blur if np.isfinite(at[0]) else 0.0
            self._weights = max(self._weights, rounding, blur)
        basis_in, basis_out = found.bases
        first = found.hidden @ np.swapaxes(change[:, :split], 1, 2) @ basis_in.T
        readout = basis_out @ change[:, split:] @ found.hidden.T
        rest = np.zeros(1, dtype=bool)
        changes = [Change(w1[None], w2[None], rest) for w1, w2 in zip(first, readout, strict=True)]
        return changes, np.flatnonzero((share > 0) & ~kept)

    def measures(self, at: Array) -> Measures:
        """Every measure; the weight change needs the rotation of the hidden units."""
        changes = self.changes(at)
        first = np.array([np.linalg.norm(c.first) for c in changes])
        readout = np.array([np.linalg.norm(c.readout) for c in changes])
        return Measures(np.hypot(first, readout), first, readout, *self.alignments(at))

    def alignments(self, at: Array) -> Alignments:
        """Alignments and loss, which need no rotation; between nodes where there are many times."""
        finite = at[np.isfinite(at)]
        many = finite.size > FEW
        values = np.empty((at.size, 4))
        if many:
            values[: finite.size] = np.exp(in_log_time(self._logs, finite, self._rate))
        elif finite.size:
            values[: finite.size] = self._exactly(finite)[0]
        if finite.size:
            blur = self.balanced.blur + (_BETWEEN if many else _ROUNDING)
            self._doubt.relative = max(self._doubt.relative, blur)
            self._doubt.loss = max(self._doubt.loss, 4.0 * blur)
        if finite.size < at.size:
            values[finite.size :] = self._exactly(np.array([np.inf]))[0]
        values[values < 2.0 * _LEAST] = 0.0
        ra, ka, ta = np.minimum(values[:, :3], 1.0).T
        return Alignments(ra, ka, ta, values[:, 3] + self.reduced.out_of_reach)

    @cached_property
    def _begun(self) -> Traces:
        """The traces at t = 0."""
        (r0, r00), (b0, b00) = ((_square(x), _square(x.T @ x)) for x in self.balanced.start)
        return Traces(r00, r00, r00, r0, r0, b00, b00, b00, b0, b0, np.zeros(()))

    def _logs(self, times: Array) -> tuple[Array, Array]:
        """Logarithms of alignments and loss, so that each is interpolated on its own scale."""
        values, noise = self._measured(times, self.balanced.quick_factors)
        gone = ~(values[:, [0, 1, 3]] >= 2.0 * _LEAST).all(axis=1)
        noise[gone | (noise[:, 3] > _GONE)] = np.inf
        return np.log(np.maximum(values, _LEAST)), noise

    def _exactly(self, times: Array) -> tuple[Array, Array]:
        """Alignments and loss themselves, and their noise."""
        one = np.ones(1)
        return self._measured(times, lambda at: (*self.balanced.factors(at), one))

    def _measured(
        self, times: Array, factors: Callable[[Array], tuple[Array, Array, Array]]
    ) -> tuple[Array, Array]:
        """Alignments and loss (n, 4), and what rounding leaves uncertain of each, of itself."""
        values, noise = np.empty((2, times.size, 4))
        lanes = max(1, _CHUNK // max(1, self._entries))
        for i in range(0, times.size, lanes):
            part = slice(i, i + lanes)
            values[part], noise[part] = self._at(*factors(times[part]))
        ta = values[:, 2]  # orthogonal to the task it is rounding
        noisy = noise[:, 2] * ta / np.maximum(ta, laziness.ORTHOGONAL)
        worst = float(max(noise[:, :2].max(), np.nanmax(noisy, initial=0.0)))
        self._doubt.relative = max(self._doubt.relative, worst)
        self._doubt.take_loss(values[:, 3], noise[:, 3])
        return values, noise

    def _at(self, a: Array, b: Array, lost: Array) -> tuple[Array, Array]:
        """Alignments and loss (n, 4) and their noise from A, B, and what was lost of them (n,)."""
        a0, b0 = self.balanced.start
        begun, s = self._begun, self.balanced.strengths[:, None]
        moved = _square(s * a[:, : len(s)]) + _square(s * b[:, : len(s)])
        traces = begun._replace(
            r0_rt=_square(a0.T @ a),
            rt_rt=_square(a.mT @ a),
            rt=_square(a),
            b0_bt=_square(b0.T @ b) if begun.b0 > 0 else np.zeros(len(b)),
            bt_bt=_square(b.mT @ b),
            bt=_square(b),
            along=laziness.along_task(moved, self._task_square),
        )
        outputs = self.reduced.problem.readout.shape[1]
        ra, ka, ta = laziness.from_traces(traces, self.reduced.inputs, outputs)
        loss = 0.5 * _square(self._target - b @ a.mT)
        noise = np.empty((len(a), 4))
        # all weights may be larger than the first layer
        noise[:, 0] = 4.0 * np.sqrt((traces.rt + traces.bt) / np.maximum(traces.rt, _LEAST))
        noise[:, 1] = 1.0
        noise[:, 2] = 4.0 * self._target_norm * np.sqrt((traces.rt + traces.bt) / (moved + _LEAST))
        # the error E is known to rounding of the task, so ||E||^2 to twice that over ||E||
        noise[:, 3] = 16.0 * self._target_norm / np.sqrt(np.maximum(2.0 * loss, _LEAST))
        noise *= (_ROUNDING * lost)[:, None]
        return np.stack([ra, ka, ta, loss], axis=1), noise


def seems_balanced(start: Network) -> bool:
    """Whether D = W2'W2 - W1 W1' multiplies one random hidden direction with weights.

    Necessary, so that most starts are turned away for four products with W1.
    """
    rng = np.random.default_rng(0)
    direction = matrices.forward(start.first, rng.standard_normal((start.inputs, 1)))
    if start.readout is not None:
        direction += start.readout.T @ rng.standard_normal((len(start.readout), 1))
    direction /= np.linalg.norm(direction) or 1.0
    image1 = matrices.forward(start.first, matrices.adjoint(start.first, direction))
    image2 = 0.0 * direction
    if start.readout is not None:
        image2 = start.readout.T @ (start.readout @ direction)
    image = image2 - image1
    rest = image - float(np.vdot(direction, image)) * direction
    size = np.linalg.norm(image1) + np.linalg.norm(image2)
    # one direction tells no more than this; `Balanced` measures the rest
    return bool(np.linalg.norm(rest) <= max(_SEEMS, 10.0 * start.precision) * size)


def _square(x: Array) -> Array:
    return np.asarray(np.einsum("...ij,...ij->...", x, x))
