"""T2, T3: a start that shares its modes with the task, in closed form at every time.

Each mode follows `modes.state`; what the weights hold beside the modes never moves, and
enters the alignments through traces alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy import laziness
from richlazy.errors import AssumptionError
from richlazy.formulas import modes
from richlazy.laziness import Measures, Traces
from richlazy.start import matrices
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.flow import Change, Problem
from richlazy.two_layer.reduction.krylov import Reduced
from richlazy.two_layer.routes.doubt import Doubt, norm_error
from richlazy.two_layer.routes.shared_modes import SharedModes, shared_modes

__all__ = ["ClosedModes", "closed_modes"]

Array = NDArray[np.float64]

_ROUNDED_MAP = 1e-30  # of ||W*||^2: what rounding of the map leaves of the loss
_ROUNDING = 10.0  # times the noise of one number: what of a whole matrix is rounding


class ClosedModes:
    """How T3 answers, mode by mode (a `Route` of `solve`).

    Attributes
    ----------
    modes
        The modes, with a, b, s and q of each.
    reduced
        The small network of the modes and of what the readout holds beside them.
    """

    method = "closed modes (T3)"

    def __init__(self, start: Network, task: Task, found: SharedModes) -> None:
        self.modes = found
        self._unit = np.flatnonzero(np.any(found.hidden != 0.0, axis=0))
        self._readout = _rest_of_readout(start, found)
        self._first = _rest_of_first(start, task, found)
        self.reduced = self._small(task)
        self.assumptions = _said(start, task, found, self._first.square_error > 0)
        self.doubt = Doubt(_ROUNDED_MAP * float(np.sum(found.strengths**2)))
        self._turning = _turning(found)

    @property
    def accuracy(self) -> str:
        """What rounding of each mode's own numbers does to the measures given so far."""
        gap = max(self.modes.gap, 1e-16)
        return (
            f"closed form, to {self.doubt}; the modes decouple to {gap:.0e} of the norms"
            f"{self._turning}"
        )

    def _small(self, task: Task) -> Reduced:
        found, unit = self.modes, self._unit
        beside = np.zeros((0, self._readout.shape[1]))
        if np.any(self._readout):
            size, rows = np.linalg.svd(self._readout, full_matrices=False)[1:]
            beside = rows[size > found.noise * size[0]]
        first = np.zeros((1, unit.size + len(beside), found.first.size))
        first[0, range(unit.size), unit] = found.first[unit]
        readout = [(found.outputs * found.readout)[:, unit], self._readout @ beside.T]
        weight = found.variances * found.first**2
        return Reduced(
            problem=Problem(
                first,
                np.concatenate(readout, axis=1)[None],
                (found.outputs * found.strengths)[None],
                None if task.white else np.diag(np.sqrt(found.variances)),
            ),
            inputs=float(task.inputs) if task.cov_xx is None else float(np.sum(task.cov_xx**2)),
            trace=self._first.seen + float(weight @ found.variances),
            trace_square=self._first.square + float(np.sum(weight**2)),
            coupling=np.zeros(1),
            units=np.concatenate([found.hidden[:, unit], beside.T], axis=1),
            directions=found.inputs,
            complete=True,
        )

    def _states(self, at: Array, found: SharedModes) -> modes.Mode:
        """Every mode at times, (times, modes); without variance in its input it rests."""
        seen = found.variances > 0
        time = np.where(seen, at[:, None], 0.0)
        q = np.where(seen, found.variances, 1.0)
        return modes.state(found.first, found.readout, found.strengths, time, q)

    def changes(self, at: Array) -> list[Change]:
        """Weight changes of the small network, each entry to its own digits."""
        state, unit = self._states(at, self.modes), self._unit
        first, readout = self.reduced.problem[:2]
        made = []
        for da, db in zip(state.change_first, state.change_readout, strict=True):
            change = Change(np.zeros_like(first), np.zeros_like(readout), np.ones(1, dtype=bool))
            change.first[0, range(unit.size), unit] = da[unit]
            change.readout[0, :, : unit.size] = (self.modes.outputs * db)[:, unit]
            made.append(change)
        return made

    def measures(self, at: Array) -> Measures:
        """Measures of the large network: sums over modes, and traces of what stays."""
        found, first = self._measures(at, self.modes, self._first), self._first
        self.doubt.add(found, self._measures(at, _moved(self.modes), first))
        if first.trace_error or first.square_error:  # apart, or they might make up for each other
            other = first._replace(
                seen=first.seen + first.trace_error, square=first.square - first.square_error
            )
            self.doubt.add(found, self._measures(at, self.modes, other))
            norm = norm_error(self.reduced.trace, first.trace_error)
            self.doubt.relative = max(self.doubt.relative, norm)
        return found

    def _measures(self, at: Array, found: SharedModes, rest: _Rest) -> Measures:
        state, q = self._states(at, found), found.variances
        a0, b0 = q * found.first**2, found.readout**2
        a, b = q * state.first**2, state.readout**2
        still = self._readout @ self._readout.T
        trace, square = float(np.trace(still)), float(np.sum(still**2))
        squares = found.strengths**2
        traces = Traces(
            r0_rt=rest.square + a @ a0,
            r0_r0=np.asarray(rest.square + a0 @ a0),
            rt_rt=rest.square + np.sum(a * a, axis=1),
            r0=np.asarray(rest.seen + q @ a0),
            rt=rest.seen + a @ q,
            b0_bt=square + b @ b0,
            b0_b0=np.asarray(square + b0 @ b0),
            bt_bt=square + np.sum(b * b, axis=1),
            b0=np.asarray(trace + np.sum(b0)),
            bt=trace + np.sum(b, axis=1),
            along=laziness.along_task(
                state.first**2 @ squares + b @ squares,
                np.sum(squares / np.where(q > 0, q, 1.0), where=q > 0),
            ),
        )
        ra, ka, ta = laziness.from_traces(traces, self.reduced.inputs, len(still))
        change1 = np.linalg.norm(state.change_first, axis=1)
        change2 = np.linalg.norm(state.change_readout, axis=1)
        loss = np.sum(np.where(q > 0, state.loss, 0.0), axis=1)
        return Measures(np.hypot(change1, change2), change1, change2, ra, ka, ta, loss)


def closed_modes(start: Network, task: Task) -> ClosedModes | str:
    """The closed form of T2 and T3 where the start shares its modes with the task.

    Returns
    -------
    ClosedModes or str
        The route, or why there is none, with the gap by which the modes fail to decouple.

    Examples
    --------
    >>> start = Network([[0.1, 0.0], [0.0, 0.2]], [[0.3, 0.0], [0.0, -0.1]])
    >>> found = closed_modes(start, Task([[2.0, 0.0], [0.0, 1.0]]))
    >>> found.method, found.measures(np.array([np.inf])).loss.round(12)
    ('closed modes (T3)', array([0.]))
    >>> closed_modes(start, Task([[2.0, 0.0], [0.5, 1.0]]))
    'W1, W2 and the task do not share their modes: they differ by 4.1e-01 of their norms'
    """
    found = shared_modes(start, task)
    if isinstance(found, str):
        return found
    route = ClosedModes(start, task, found)
    try:
        route.measures(np.zeros(1))
    except AssumptionError as error:  # weights out of the range of `modes.state`
        return str(error)
    return route


class _Rest(NamedTuple):
    """Traces of R, cov_xx^(1/2) R cov_xx^(1/2) when not white, for what of W1 never moves."""

    seen: float  #: tr(R cov_xx)
    square: float  #: tr R^2
    trace_error: float = 0.0  #: standard errors of the two, where they are estimates
    square_error: float = 0.0


def _rest_of_readout(start: Network, found: SharedModes) -> Array:
    """W2 without its modes; nothing where that is rounding."""
    if start.readout is None:
        return np.zeros((len(found.outputs), start.hidden))
    rest = start.readout - (found.outputs * found.readout) @ found.hidden.T
    kept = np.linalg.norm(rest) > _ROUNDING * found.noise * np.linalg.norm(start.readout)
    return rest if kept else np.zeros_like(rest)


def _rest_of_first(start: Network, task: Task, found: SharedModes) -> _Rest:
    first = start.first
    if not (task.white or isinstance(first, np.ndarray)):
        first = matrices.forward(first, np.eye(start.inputs))
    if not isinstance(first, np.ndarray):
        moments = start.moments if first is start.first else matrices.second_moments(first)
        errors = moments.trace.standard_error, moments.trace_square.standard_error
        squares = found.first**2
        trace = moments.trace.value - float(np.sum(squares))
        square = moments.trace_square.value - float(np.sum(squares**2))
        if trace <= _ROUNDING * found.noise * moments.trace.value:
            return _Rest(0.0, 0.0, *errors)
        return _Rest(trace, max(square, 0.0), *errors)
    rest = first - (found.hidden * found.first) @ found.inputs.T
    if np.linalg.norm(rest) <= _ROUNDING * found.noise * np.linalg.norm(first):
        return _Rest(0.0, 0.0)
    if task.root is not None:
        rest = rest @ task.root
    moments = matrices.second_moments(rest)
    trace, square = moments.trace.value, moments.trace_square.value
    seen = trace if task.root is None else float(np.sum((rest @ task.root) ** 2))
    return _Rest(seen, square)


def _said(start: Network, task: Task, found: SharedModes, sampled: bool) -> tuple[str, ...]:
    said = ["the modes of the task are modes of W1 and W2"]
    if start.silent:
        said.append("silent readout")
    said.append("white inputs" if task.white else "the modes of the task are modes of cov_xx")
    asleep = np.count_nonzero((found.strengths > 0) & (found.first == 0) & (found.readout == 0))
    if asleep:
        said.append(f"task modes at a saddle, without weight in either layer: {asleep}")
        if found.faint > 0:
            said.append(
                f"weights of up to {found.faint:.0e} of their layer's norm in such modes are taken "
                "for rounding"
            )
    sinking = np.count_nonzero(found.saddle)
    if sinking:
        said.append(f"modes on the path into a saddle (a = -b to rounding): {sinking}")
    if sampled:
        said.append("tr R_0^2 is a stochastic estimate, whose standard error the accuracy includes")
    return tuple(said)


def _moved(found: SharedModes) -> SharedModes:
    """The same modes, their numbers moved by what rounding leaves unknown of them."""
    da, db, ds = found.unknown
    still = found.saddle | ((found.first == 0) & (found.readout == 0))
    return found._replace(
        first=np.where(still, found.first, found.first + da),
        readout=np.where(still, found.readout, found.readout - db),
        strengths=found.strengths + np.where(found.strengths > 0, ds, 0.0),
    )


def _turning(found: SharedModes) -> str:
    """How far rounding grows where a mode first falls."""
    a, b, s, q = found.first, found.readout, found.strengths, found.variances
    turning = (a * b < 0) & (s > 0) & ~found.saddle
    if np.any(turning):
        worst = float(np.max(_condition(*(v[turning] for v in (a, b, s, q)))))
        return f"; rounding grows up to {worst:.2g} times where a and b differ in sign"
    return ""


def _condition(a: Array, b: Array, s: Array, q: Array) -> Array:
    """||(a, b)|| over its component on the growing direction (T3), at most 1/eps."""
    half = 0.5 * q * (b - a) * (b + a)
    kappa = np.hypot(s, half)
    up = np.where(half >= 0, s * a + (kappa + half) * b, (kappa - half) * a + s * b)
    whole = np.hypot(a, b) * np.hypot(s, kappa + np.abs(half))
    return np.asarray(whole / np.maximum(np.abs(up), np.finfo(float).eps * whole))
