"""T2: the modes that a start and a task share, if all that moves decouples into them.

If R, U and V are orthonormal with

    W1 = R diag(a) V' + rest,   W2 = U diag(b) R' + rest,   cov_yx = U diag(s) V',

cov_xx V = V diag(q) and every rest is orthogonal to R, U and V, each mode moves by itself and
the rests never do. They are found from products with W1 alone:

- inputs that move: the row spaces of cov_yx and W2 W1;
- the maps W1 + W2'cov_yx and cov_yx + W2 W1, with weights that no mode knows of, and cov_xx
  share V whatever is repeated among a, b, s or q: one singular value decomposition of their
  stack gives V, and QR of their images R and U;
- Newton steps undo what near ties of the stack's own singular values have mixed;
- seven residuals tell whether it all holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.start import matrices, precision
from richlazy.start.matrices import MatrixLike
from richlazy.start.network import Network
from richlazy.start.task import Task

__all__ = ["SharedModes", "shared_modes"]

Array = NDArray[np.float64]

_TOLERANCE = 1e-13  # of residuals, relative to the norms
_NEWTON = 1e-2  # residual from which Newton steps can be hoped to converge
_COMMUTATOR = 1e-8
_WEIGHTS = 0.7548776662466927, 0.5698402909980532, 0.4301597090019468  # in no simple relation
_PROBES = 8


class SharedModes(NamedTuple):
    """Modes along the last axis.

    A mode without weight in either layer has no hidden unit: its column there is zero.
    """

    hidden: Array  #: R (h, n)
    inputs: Array  #: V (d, n)
    outputs: Array  #: U (m, n)
    first: Array  #: a
    readout: Array  #: b
    strengths: Array  #: s >= 0
    variances: Array  #: q
    saddle: NDArray[np.bool_]  #: a = -b to rounding, made exact
    gap: float  #: largest residual, relative to the norms
    noise: float  #: relative size of what counts as rounding
    unknown: tuple[Array, Array, Array]  #: what rounding leaves unknown of a, b and s
    faint: float  #: largest weight taken for zero, over the norm of its layer


class _Frame(NamedTuple):
    """Bases of the moving modes: hidden R, inputs V, outputs U."""

    hidden: Array
    inputs: Array
    outputs: Array


def shared_modes(start: Network, task: Task) -> SharedModes | str:
    """Find the modes of T2, or say by how much start and task fail to share any.

    Costs a few products with W1 for each task mode and each output of W2; most starts that
    share no modes are refused after `_PROBES` products with W1, three more and two with W1'. Only
    where a mode is so weak beside ||W1|| that products round it away are the singular vectors of
    W1 asked for.

    Examples
    --------
    >>> start = Network([[0.1, 0.0], [0.0, 0.2]], [[0.3, 0.0], [0.0, -0.1]])
    >>> found = shared_modes(start, Task([[2.0, 0.0], [0.0, 1.0]]))
    >>> found.strengths.round(12), (found.first * found.readout).round(12)
    (array([2., 1.]), array([ 0.03, -0.02]))
    """
    scaled = _Scaled(start, task)
    if scaled.commutator > max(_COMMUTATOR, 10.0 * start.precision):
        return _refusal(scaled.commutator)
    inputs = _moving(task, scaled)
    goal = scaled.tolerance * np.sqrt(inputs.shape[1])

    def isometry(x: Array) -> Array:
        return start.factors.left @ (start.factors.right.T @ x)

    for units, least in (
        (scaled.first, scaled.noise),
        (scaled.first, scaled.tolerance),  # a mode without weight whose rounding looked like one
        (isometry, scaled.noise),  # a weak mode: W1 v keeps only the digits that a leaves
        (isometry, scaled.tolerance),
    ):
        if units is isometry and not _affordable(start):
            break
        frame, gap = _polished(_frame(inputs, units, least, scaled), scaled)
        if gap <= goal:
            return _settled(frame, scaled, gap)
        if not _explained(gap, frame, scaled):
            break
    return _refusal(gap)


class _Scaled:
    """The matrices of one problem, each over its norm, as products."""

    def __init__(self, start: Network, task: Task) -> None:
        probes = np.random.default_rng(0).standard_normal((task.inputs, _PROBES))
        image = matrices.forward(start.first, probes)
        self.matrix = start.first
        self.size1 = float(np.linalg.norm(image)) / np.sqrt(_PROBES) or 1.0
        self.size2 = 1.0
        self.strength = task.strength
        self.variance = 1.0
        self.readout = np.zeros((task.outputs, start.hidden))
        if start.readout is not None:
            largest = float(np.abs(start.readout).max())  # squares of a tiny readout underflow
            self.size2 = largest * float(np.linalg.norm(start.readout / largest))
            self.readout = start.readout / self.size2
        self.task = task.cov_yx / self.strength
        self.cov = None
        if task.cov_xx is not None:
            self.variance = float(np.linalg.norm(task.cov_xx, 2))
            self.cov = task.cov_xx / self.variance
        self.noise = precision.noise(max(start.hidden, task.inputs, task.outputs), start.precision)
        self.tolerance = max(_TOLERANCE, self.noise)
        # one direction tells: those that commuting fails to show have measure zero
        self.commutator = self._commutator(probes[:, :1], image[:, :1] / self.size1)

    def first(self, x: Array) -> Array:
        """W1 x."""
        return matrices.forward(self.matrix, x) / self.size1

    def adjoint(self, y: Array) -> Array:
        """W1' y."""
        return matrices.adjoint(self.matrix, y) / self.size1

    def sizes(self, matrix: MatrixLike, x: Array) -> Array:
        """What M x would be if nothing cancelled (n,), at most its norm: rounding is told by it."""
        scale = self.size1 if matrix is self.matrix else 1.0
        return np.minimum(matrices.sizes(matrix, x) / scale, 1.0)

    def _commutator(self, x: Array, image: Array) -> float:
        """[W1'W1, cov_yx'cov_yx], zero for shared modes: what refuses most starts at once."""
        one, other = self.task.T @ (self.task @ x), self.adjoint(image)
        both = self.adjoint(self.first(one)) - self.task.T @ (self.task @ other)
        size = float(np.linalg.norm(one) * np.linalg.norm(other) / np.linalg.norm(x))
        return float(np.linalg.norm(both)) / size if size > 0 else 0.0


def _refusal(gap: float) -> str:
    return f"W1, W2 and the task do not share their modes: they differ by {gap:.1e} of their norms"


def _moving(task: Task, scaled: _Scaled) -> Array:
    """Orthonormal basis of the row spaces of cov_yx and W2 W1, (d, n)."""
    basis = task.modes.right
    if not np.any(scaled.readout):
        return basis
    more = scaled.adjoint(scaled.readout.T)
    for _ in range(2):
        more = more - basis @ (basis.T @ more)
    u, size, _ = np.linalg.svd(more, full_matrices=False)
    return np.concatenate([basis, u[:, size > _TOLERANCE]], axis=1)


def _explained(gap: float, frame: _Frame, scaled: _Scaled) -> bool:
    """Whether rounding can make the gap: it turns a hidden unit the more, the weaker the mode."""
    size = np.hypot(
        np.linalg.norm(scaled.first(frame.inputs), axis=0),
        np.linalg.norm(scaled.readout.T @ frame.outputs, axis=0),
    )
    return bool(gap * np.min(size[size > 0.0], initial=1.0) < 100.0 * scaled.noise)


def _affordable(start: Network) -> bool:
    return isinstance(start.first, matrices.Thin) or min(start.first.shape) <= matrices.DENSE_LIMIT


def _frame(inputs: Array, units: Callable[[Array], Array], least: float, scaled: _Scaled) -> _Frame:
    """First bases; `units` takes an input mode to its hidden unit, shorter than `least` is none."""
    image, task, back = scaled.first(inputs), scaled.task @ inputs, scaled.readout.T
    hidden = image + _WEIGHTS[0] * (back @ task)
    outputs = task + _WEIGHTS[1] * (scaled.readout @ image)
    stack = [hidden, outputs]
    if scaled.cov is not None:
        stack.append(_WEIGHTS[2] * (scaled.cov @ inputs))
    turn = np.linalg.svd(np.concatenate(stack), full_matrices=False)[2].T
    turned = inputs @ turn
    hidden = units(turned) + _WEIGHTS[0] * (back @ (task @ turn))
    # beside what their own terms are, no column is too short
    seen = np.abs(scaled.task) @ np.abs(turned)
    size = np.linalg.norm(np.abs(back) @ seen, axis=0)
    size = np.minimum(scaled.sizes(scaled.matrix, turned) + size, 1.0)
    size = size if units == scaled.first else np.ones_like(size)
    return _Frame(
        _orthonormal(hidden, least * size),
        turned,
        _orthonormal(outputs @ turn, scaled.noise * np.linalg.norm(seen, axis=0)),
    )


def _orthonormal(columns: Array, least: Array) -> Array:
    """Make columns orthonormal, the longest first, so that short ones lose rounding of long ones.

    Columns no longer than `least`, and those that find no room, become zero.
    """
    length = np.linalg.norm(columns, axis=0)
    order = np.argsort(-length, kind="stable")
    order = order[length[order] > least[order]][: len(columns)]
    q, r = np.linalg.qr(columns[:, order])
    found = np.zeros_like(columns)
    found[:, order] = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return found


def _images(frame: _Frame, scaled: _Scaled) -> list[tuple[Array, Array]]:
    """(image of a basis, basis it must be parallel to), for every map and its transpose."""
    r, v, u = frame
    found = [
        (scaled.first(v), r),
        (scaled.adjoint(r), v),
        (scaled.readout @ r, u),
        (scaled.readout.T @ u, r),
        (scaled.task @ v, u),
        (scaled.task.T @ u, v),
    ]
    return found if scaled.cov is None else [*found, (scaled.cov @ v, v)]


def _gap(images: list[tuple[Array, Array]]) -> float:
    """Largest residual ||image - basis diag||."""
    return max(
        float(np.linalg.norm(image - basis * np.sum(basis * image, axis=0)))
        for image, basis in images
    )


def _settled(frame: _Frame, scaled: _Scaled, gap: float) -> SharedModes:
    """Strengths of the modes, cleared of rounding: it must not decide when a saddle is left."""
    images = _images(frame, scaled)
    variance = np.ones(frame.inputs.shape[1])
    if scaled.cov is not None:
        variance = np.sum(images[-1][0] * images[-1][1], axis=0)
    values = [*(np.sum(basis * image, axis=0) for image, basis in images[:6:2]), variance]
    sizes = scaled.size1, scaled.size2, scaled.strength, scaled.variance
    # of each number what its own terms, and its own residuals, leave unknown
    r, v = frame.hidden, frame.inputs
    terms = (
        scaled.sizes(scaled.matrix, v),
        scaled.sizes(scaled.readout, r),
        scaled.sizes(scaled.task, v),
    )
    noise = [
        scaled.noise * term + missed for term, missed in zip(terms, _missed(images), strict=True)
    ]
    noise.append(np.full_like(variance, scaled.noise))
    a, b, s, q = (
        size * np.where(np.abs(v) > n, v, 0.0)
        for v, n, size in zip(values, noise, sizes, strict=True)
    )
    asleep = (s != 0) & (a == 0) & (b == 0)
    reached = images[0][0][:, asleep], images[3][0][:, asleep]  # W1 v and W2'u
    faint = [np.linalg.norm(image, axis=0).max(initial=0.0) for image in reached]
    da, db, ds = (size * n for n, size in zip(noise[:3], sizes[:3], strict=True))
    turn = np.where(s < 0, -1.0, 1.0)  # u is free to make s >= 0
    b, s = turn * b, np.abs(s)
    saddle = (s > 0) & (a * b < 0) & (np.abs(a + b) <= da + db)
    # the layer of the larger norm is the one whose rounding it is
    kept = sizes[0] <= sizes[1]
    return SharedModes(
        frame.hidden,
        frame.inputs,
        turn * frame.outputs,
        np.where(saddle & (not kept), -b, a),
        np.where(saddle & kept, -a, b),
        s,
        q,
        saddle,
        gap,
        scaled.noise,
        (da, db, ds),
        float(max(faint)),
    )


def _missed(images: list[tuple[Array, Array]]) -> list[Array]:
    """Residuals of W1, W2 and the task, mode by mode."""
    each = [
        np.linalg.norm(image - basis * np.sum(basis * image, axis=0), axis=0)
        for image, basis in images[:6]
    ]
    return [np.maximum(one, other) for one, other in zip(each[::2], each[1::2], strict=True)]


def _polished(frame: _Frame, scaled: _Scaled) -> tuple[_Frame, float]:
    """The frame after as many Newton steps as bring it closer, and its residual."""
    images = _images(frame, scaled)
    gap = _gap(images)
    for _ in range(3):
        if not 0.1 * _TOLERANCE < gap < _NEWTON:
            break
        after = _newton(frame, images)
        images = _images(after, scaled)
        if not _gap(images) < gap:
            break
        frame, gap = after, _gap(images)
    return frame, gap


def _newton(frame: _Frame, images: list[tuple[Array, Array]]) -> _Frame:
    """Rotate the bases so that, to first order, no pair of modes is coupled.

    A rotation of V, R and U by x, y, z in the plane of a pair (i, j) changes the coupling
    R_i' W1 V_j by a_i x - a_j y, and so on for every map: least squares over all of them.
    """
    r, v, u = frame
    n = v.shape[1]
    normal, right = np.zeros((n, n, 3, 3)), np.zeros((n, n, 3))
    nodes = {0: (1, 0), 2: (2, 1), 4: (2, 0)}  # (row, column) of W1, W2, cov_yx in (V, R, U)
    for k, (row, column) in nodes.items():
        image, basis = images[k]
        coupling = basis.T @ image
        diagonal = np.diag(coupling)
        for value, own, other in (
            (coupling, diagonal[:, None], diagonal[None, :]),
            (coupling.T, -diagonal[None, :], -diagonal[:, None]),
        ):
            slope = np.zeros((n, n, 3))
            slope[..., column] += own
            slope[..., row] -= other
            normal += slope[..., :, None] * slope[..., None, :]
            right -= slope * value[..., None]
    if len(images) > 6:
        coupling = images[6][1].T @ images[6][0]
        slope0 = np.diag(coupling)[:, None] - np.diag(coupling)[None, :]
        normal[..., 0, 0] += slope0**2
        right[..., 0] -= slope0 * coupling
    angles = np.linalg.solve(normal + 1e-13 * np.eye(3), right[..., None])[..., 0]
    turns = []
    for k in range(3):
        x = np.triu(angles[..., k], 1)
        x = 0.5 * (x - x.T)
        turns.append(np.linalg.solve(np.eye(n) - x, np.eye(n) + x))  # Cayley: orthogonal
    used = np.any(r != 0.0, axis=0)
    return _Frame(np.where(used, r @ turns[1], 0.0), v @ turns[0], u @ turns[2])
