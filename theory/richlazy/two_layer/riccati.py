"""T5: lambda-balanced two-layer networks on white inputs, any alignment, in closed form.

With Q = [W1'; W2] and F = [[-lambda/2, cov_yx'], [cov_yx, lambda/2]], gradient flow is
dQ/dt = F Q - Q Q'Q/2 (Fukumizu 1998; Braun et al. 2022; Domine et al. 2025), so that

    Q Q'(t) = e^{Ft} Q0 [I + int_0^t Q0' e^{2Fs} Q0 ds]^{-1} Q0' e^{Ft}.

Numerics. In the eigenbasis P of F (from the modes of cov_yx, so that its eigenvalues x are
+-kappa_i and the degenerate +-lambda/2 exactly) and with C = P'Q0,

    Q Q' = P k H k P',   k = sqrt(2x/(1 - e^{-2xt})),   H = Y (I + Y'Y)^{-1} Y',   Y = g C,
    g = sqrt((e^{2xt} - 1)/(2x)),

and H = Q_y Q_y' from a QR of [Y; I], whose inverse is never formed: a start of low rank makes
it singular. A rotation of the hidden units, found once, brings C to echelon form: column j
begins at its pivot row, the first with a positive x that the columns before leave something
of. Dividing each column by g at its pivot then leaves nothing that can overflow, and its limit
t -> infinity is the same QR with 0 and 1 for the ratios of growth. What an earlier row is left
with after its pivot is rounding, and is set to zero, or e^{xt} would make it the answer: a
start that exact arithmetic leaves at a saddle stays there.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtri

from richlazy.errors import AssumptionError, real_array
from richlazy.start import precision
from richlazy.start.task import Modes
from richlazy.two_layer.echelon import echelon

__all__ = ["Balanced", "imbalance"]

Array = NDArray[np.float64]

_EPS = float(np.finfo(float).eps)
_CANCELS = 8.0
_HUGE = 1e150
_BALANCE = 10.0  # times the rounding of a sum: what may be left of D - lambda I
_BLURRED = 1e-6  # of the weakest direction: what may be left to couple it to others
_WEAK = 1e-6  # share of a Cholesky pivot from which it is no longer trusted to be one
_TINY = 1e-290  # times before it are 0 to rounding
_MODERATE = 300.0  # exponents whose exponentials can be multiplied apart
_LOST = 1e3  # digits, as a factor, that a Gram matrix may lose
_CHUNK = 60_000  # entries of the stacked factors worked on at once: they stay in cache


def imbalance(first: Array, readout: Array) -> tuple[float, float]:
    """(lambda, ||D - lambda I||) of D = W2'W2 - W1 W1' (T1), on hidden units that all have weights.

    Both are 0 without hidden units.

    Raises
    ------
    AssumptionError
        If the largest weight is not in [1e-150, 1e150], and its square not in float64.
    """
    first, readout = _matrix(first, "first"), _matrix(readout, "readout")
    units = first.shape[0]
    if units == 0:
        return 0.0, 0.0
    peak = max(float(np.abs(w).max(initial=0.0)) for w in (first, readout))
    if peak > 0 and not 1.0 / _HUGE <= peak <= _HUGE:
        raise AssumptionError(
            f"the largest weight must lie in [{1 / _HUGE:g}, {_HUGE:g}], or its square leaves the "
            f"range of float64; it is {peak:g}: rescale the weights"
        )
    conserved = readout.T @ readout - first @ first.T
    level = float(np.trace(conserved)) / units
    if np.vdot(first, first) > _CANCELS * abs(level) * units:
        # the two norms agree to some digits: lambda from their squares summed exactly
        squares = np.concatenate([*_squares(readout), *(-part for part in _squares(first))])
        level = math.fsum(squares[squares != 0.0].tolist()) / units
    rest = conserved - level * np.eye(units)
    largest = float(np.abs(rest).max()) or 1.0  # its square may overflow
    return level, largest * float(np.linalg.norm(rest / largest))


def _matrix(value: Array, name: str) -> Array:
    """A real matrix, which may have no rows or no columns."""
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.size == 0:
        return value
    return real_array(value, name, ndim=2)


class Balanced:
    """The matrix Riccati solution (T5) of one lambda-balanced network.

    Weights are handed out in the orthonormal coordinates of the task's modes, and as factors
    known up to a common rotation of the hidden units: (W1' , W2) = (U_in A, U_out B) O.

    Parameters
    ----------
    first, readout, cov_yx
        W1 (h, d), W2 (m, h), input-output covariance (m, d). Inputs are white.
    unit
        Rounding unit of the weights, relative to themselves.
    modes
        Singular value decomposition of cov_yx, where it is known.

    Attributes
    ----------
    level
        lambda; 0 where it is rounding.
    strengths
        Singular values of cov_yx, zero ones left out.
    pivots
        Rows, by descending growth, at which the columns of the echelon form begin.
    gap
        ||W2'W2 - W1 W1' - lambda I||.
    dropped
        Size, of the largest, of the largest hidden direction or overlap with a growing direction
        that was taken for rounding of zero.
    blur
        What rounding leaves unknown, relative to itself, of the weakest hidden direction or overlap
        with a growing direction that was not.

    Raises
    ------
    AssumptionError
        If W2'W2 - W1 W1' is not lambda I on the hidden units that have weights.
    """

    def __init__(
        self,
        first: Array,
        readout: Array,
        cov_yx: Array,
        unit: float = precision.EPS,
        modes: Modes | None = None,
    ) -> None:
        first, readout = _matrix(first, "first"), _matrix(readout, "readout")
        cov_yx = _matrix(cov_yx, "cov_yx")
        size = float(np.vdot(first, first) + np.vdot(readout, readout))
        shape = len(readout) + first.shape[1], first.shape[0]
        tolerance = _BALANCE * precision.noise(max(shape), unit)
        hidden, self.dropped = None, 0.0
        level, self.gap = imbalance(first, readout)
        units = np.einsum("ij,ij->i", first, first) + np.einsum("ij,ij->j", readout, readout)
        least, most = float(units.min(initial=np.inf)), float(units.max(initial=0.0))
        if self.gap <= tolerance * least and tolerance * size < abs(level):
            # |W2 x|^2 - |W1'x|^2 = lambda: then no direction is weaker than that
            missed, weakest = self.gap / least, math.sqrt(abs(level) / most)
        else:
            hidden, self.dropped = _active(np.concatenate([first.T, readout]), unit)
            if hidden is not None:
                first, readout = hidden.T @ first, readout @ hidden
                level, self.gap = imbalance(first, readout)
            missed, weakest = _missed(first, readout, level)
        if missed > min(tolerance, _BLURRED * weakest):
            raise AssumptionError(
                f"the start is not lambda-balanced: W2'W2 - W1 W1' differs from {level:.4g} I by "
                f"{self.gap:.3g}, which is {missed:.1e} of the units that it couples, whose "
                f"weakest direction is {weakest:.1e}; at most {tolerance:.1e} is rounding"
            )
        self.level = level if abs(level) > 4.0 * _EPS * size else 0.0
        if modes is None:
            left, found_s, vt = np.linalg.svd(cov_yx, full_matrices=False)
            modes = Modes(left, found_s, vt.T)
        u, s, v = modes
        keep = s > s[:1] * max(cov_yx.shape) * _EPS
        if not keep.all():
            u, s, v = u[:, keep], s[keep], v[:, keep]
        self.strengths = s = _merged(s)
        half = 0.5 * self.level
        kappa = np.hypot(self.strengths, half)
        # eigenvector of +kappa, the form of it that does not cancel
        large = kappa + abs(half)
        length = np.hypot(self.strengths, large)
        minor, major = self.strengths / length, large / length
        self._a, self._b = (minor, major) if half >= 0 else (major, minor)
        a, b = v.T @ first.T, u.T @ readout
        noise = 8.0 * _EPS * float(np.sqrt(size))
        self._basis_in, rest_in = _residual(first.T, v, a, noise)
        self._basis_out, rest_out = _residual(readout, u, b, noise)
        grow = self._a[:, None] * a + self._b[:, None] * b
        fade = self._b[:, None] * a - self._a[:, None] * b
        rows = np.concatenate([grow, fade, rest_in, rest_out])
        # x = sign |half| + beyond: exponents of a large lambda differ in the second term alone
        sign = np.sign(half)
        beyond = np.concatenate(
            [s * (s / large), -s * (s / large), np.zeros(len(rest_in) + len(rest_out))]
        )
        signs = np.repeat(
            [abs(sign), -abs(sign), -sign, sign], [s.size, s.size, len(rest_in), len(rest_out)]
        )
        self._order = np.lexsort((-beyond, -signs))
        self._place = np.argsort(self._order)
        self._beyond, signs = beyond[self._order], signs[self._order]
        self._x = np.concatenate(
            [kappa, -kappa, np.full(len(rest_in), -half), np.full(len(rest_out), half)]
        )[self._order]
        self._rows, turn, self.pivots, found = echelon(
            rows[self._order], int(np.sum(self._x > 0)), noise
        )
        whole = float(np.sqrt(size)) or 1.0
        self.dropped = max(self.dropped, found.dropped / whole)
        self.blur = max(noise / found.least, missed / weakest)
        self._turn, self._hidden = turn, hidden
        self._start = (a, rest_in), (b, rest_out)

    @cached_property
    def hidden(self) -> Array:
        """Orthonormal columns (h, r): the basis of hidden directions that factors are given in."""
        return self._turn if self._hidden is None else self._hidden @ self._turn

    @cached_property
    def start(self) -> tuple[Array, Array]:
        """A and B at t = 0."""
        first, readout = (np.concatenate(parts) @ self._turn for parts in self._start)
        return first, readout

    @property
    def rank(self) -> int:
        """Hidden directions that have weights, r."""
        return int(self._rows.shape[1])

    @property
    def learned(self) -> int:
        """Task modes that the network learns in the end; the others stay at a saddle."""
        return int(np.sum(self._order[self.pivots] < self.strengths.size))

    @property
    def bases(self) -> tuple[Array, Array]:
        """U_in (d, n_in) and U_out (m, n_out), orthonormal."""
        return self._basis_in, self._basis_out

    def factors(self, times: Array) -> tuple[Array, Array]:
        """A (n, n_in, r) and B (n, n_out, r) at n times, infinity allowed, up to one rotation each.

        R = U_in A A' U_in', B = U_out B B' U_out', W2 W1 = U_out B A' U_in' (T5).
        """
        found = np.empty((times.size, *self._rows.shape))
        lanes = max(1, _CHUNK // max(1, self._rows.size))
        for i in range(0, times.size, lanes):
            found[i : i + lanes] = self._at(times[i : i + lanes])
        return self._layers(found)

    def quick_factors(self, times: Array) -> tuple[Array, Array, Array]:
        """`factors` at finite times from the Cholesky factor of I + Y'Y, and what that lost (n,).

        The Gram matrix squares the condition number of [Y; I]: errors are rounding times the third
        array, the largest (I + Y'Y)_jj (I + Y'Y)^-1_jj, which no scaling of the columns changes. It
        is 1 where `factors` was asked instead, because that was above 1e3.

        Examples
        --------
        >>> found, at = Balanced(np.eye(2), np.zeros((2, 2)), np.eye(2)), np.array([0.0, 1.0])
        >>> first, readout, lost = found.quick_factors(at)
        >>> bool(np.allclose(readout @ first.mT, found.second_moment(at)[:, 2:, :2])), lost
        (True, array([1., 1.]))
        """
        found, lost = self._rows + np.zeros((times.size, 1, 1)), np.ones(times.size)
        moved = np.flatnonzero(times > _TINY) if self.rank else np.zeros(0, dtype=np.intp)
        if moved.size:
            found[moved], lost[moved] = self._moved_quickly(np.minimum(times[moved], self._latest))
        return (*self._layers(found), lost)

    def _layers(self, sorted_rows: Array) -> tuple[Array, Array]:
        """A and B from P'Q in sorted rows."""
        p, n_in = self.strengths.size, self._basis_in.shape[1]
        found = sorted_rows[:, self._place]
        grow, fade = found[:, :p], found[:, p : 2 * p]
        a, b = self._a[:, None], self._b[:, None]
        split = p + n_in
        first = np.concatenate([a * grow + b * fade, found[:, 2 * p : split]], axis=1)
        readout = np.concatenate([b * grow - a * fade, found[:, split:]], axis=1)
        return first, readout

    def second_moment(self, times: Array) -> Array:
        """Q Q' (n, d + m, d + m) at n times: R, (W2 W1)' and B in its blocks (T5).

        Examples
        --------
        >>> found = Balanced(np.eye(2), np.zeros((2, 2)), np.diag([2.0, 1.0]))
        >>> found.second_moment(np.array([np.inf]))[0, :2, :2].round(6)  # R: kappa + 1/2
        array([[2.561553, 0.      ],
               [0.      , 1.618034]])
        """
        first, readout = self.factors(times)
        basis_in, basis_out = self.bases
        q = np.concatenate([basis_in @ first, basis_out @ readout], axis=1)
        return np.asarray(q @ np.swapaxes(q, 1, 2))

    def _at(self, times: Array) -> Array:
        """P'Q in sorted rows, times (n,): k Q_y, which is C itself at t = 0."""
        if self.rank == 0:
            return np.empty((times.size, *self._rows.shape))
        started, final = times > _TINY, np.isinf(times)
        if started.all():
            found = self._moved(np.minimum(times, self._latest))
        else:
            found = np.tile(self._rows, (times.size, 1, 1))
            if started.any():
                found[started] = self._moved(np.minimum(times[started], self._latest))
        if final.any():
            found[final] = self._final
        return found

    def _moved(self, times: Array) -> Array:
        y, shrink, k = self._grown(times)
        rows = y.shape[1]
        tall = np.zeros((times.size, rows + self.rank, self.rank))
        tall[:, :rows] = y
        index = np.arange(self.rank)
        tall[:, rows + index, index] = shrink
        # rows by size: Householder's method is then accurate row by row, and a hardly moved
        # start (Y far below I) keeps its digits
        order = np.einsum("tij,tij->ti", tall, tall).argsort(axis=1)[:, ::-1]
        lane = np.arange(times.size)[:, None]
        tall[lane, order] = np.linalg.qr(tall[lane, order])[0]
        return np.asarray(k[..., None] * tall[:, :rows])

    def _moved_quickly(self, times: Array) -> tuple[Array, Array]:
        y, shrink, k = self._grown(times)
        sizes = np.sqrt(np.einsum("tij,tij->tj", y, y) + shrink * shrink)
        y /= sizes[:, None]  # columns of [Y; I] of length 1, however far each has grown
        gram = y.mT @ y
        np.einsum("tii->ti", gram)[...] = 1.0
        try:
            upper = np.linalg.cholesky(gram).mT
        except np.linalg.LinAlgError:
            return self._moved(times), np.ones(times.size)
        for one in upper:
            one[...] = dtrtri(one)[0]
        lost = np.einsum("tij,tij->ti", upper, upper).max(axis=1)
        y *= k[..., None]
        found = y @ upper
        far = lost > _LOST
        if far.any():
            found[far], lost[far] = self._moved(times[far]), 1.0
        return found, lost

    def _grown(self, times: Array) -> tuple[Array, Array, Array]:
        """Y and the diagonal that stands for I below it, columns over their growth, and k."""
        rows, pivots = self._rows, self.pivots.size
        t = times[:, None]
        z = 2.0 * t * self._x
        away = np.abs(z)
        span = t * np.where(away > 0, -np.expm1(-away) / np.where(away > 0, away, 1.0), 1.0)
        k = np.exp(0.5 * np.minimum(z, 0.0)) / np.sqrt(span)
        # columns are divided by g at their pivot, where that is above 1
        at_pivot, exponent = np.sqrt(span[:, self.pivots]), t * self._x[self.pivots]
        shrink, relative = np.ones((2, times.size, self.rank))
        shrink[:, :pivots] = np.minimum(1.0, np.exp(-exponent) / at_pivot)
        relative[:, :pivots] = np.minimum(1.0 / at_pivot, np.exp(np.minimum(exponent, 700.0)))
        growth = np.maximum(self._x, 0.0)
        if growth.max(initial=0.0) * times.max() < _MODERATE:
            relative[:, :pivots] *= np.exp(-exponent)
            y = (np.exp(t * growth) * np.sqrt(span))[..., None] * rows
        else:
            y = np.exp(t[..., None] * self._lead) * np.sqrt(span)[..., None] * rows
        y *= relative[:, None]
        return y, shrink, k

    @cached_property
    def _lead(self) -> Array:
        """Growth rate of each entry of C over that of its column's pivot, at most 0."""
        growing, pivots = self._x > 0, self.pivots
        lead = np.zeros(self._rows.shape)
        lead[:, : pivots.size] = np.where(
            growing[:, None], self._beyond[:, None] - self._beyond[pivots], -self._x[pivots]
        )
        return np.where(self._rows != 0.0, lead, 0.0)

    @cached_property
    def _latest(self) -> float:
        """A time by which every rate in float64's range has saturated."""
        return 1e300 / max(1.0, 2.0 * float(np.abs(self._x).max(initial=0.0)))

    @cached_property
    def _final(self) -> Array:
        """t = infinity: each pivot direction, among equal x, at weight sqrt(2x)."""
        found = np.zeros_like(self._rows)
        pivots = self.pivots.size
        if pivots:
            same = (self._beyond[:, None] == self._beyond[self.pivots]) & (self._x[:, None] > 0)
            frame = np.linalg.qr(np.where(same, self._rows[:, :pivots], 0.0))[0]
            found[:, :pivots] = np.sqrt(2.0 * np.maximum(self._x, 0.0))[:, None] * frame
        return found


def _squares(weights: Array) -> tuple[Array, Array]:
    """Two arrays whose exact sum is ||weights||_F^2: products split without rounding."""
    w = weights.ravel()
    square = w * w
    big = 134217729.0 * w  # Veltkamp: upper and lower halves of the digits
    upper = big - (big - w)
    lower = w - upper
    rest = ((upper * upper - square) + 2.0 * upper * lower) + lower * lower
    return square, rest


def _active(stacked: Array, unit: float) -> tuple[Array | None, float]:
    """Basis (h, r) of the hidden directions with weights above rounding; None if they all have.

    With it comes the largest of the others, over the largest of all.
    """
    h = stacked.shape[1]
    if h == 0 or _least(stacked) > _WEAK:
        return None, 0.0
    _, s, vt = np.linalg.svd(stacked, full_matrices=False)
    keep = s > precision.cutoff(s, stacked.shape, unit)
    if keep.size == h and np.all(keep):
        return None, 0.0
    dropped = float(s[~keep].max(initial=0.0)) / (float(s[0]) or 1.0)
    return np.asarray(vt[keep].T), dropped


def _least(columns: Array) -> float:
    """About the least singular value over the largest, 0 where it is below `_WEAK`."""
    try:
        pivots = np.diagonal(np.linalg.cholesky(columns.T @ columns))
    except np.linalg.LinAlgError:
        return 0.0
    least = float(pivots.min() / pivots.max())
    return least if least > 10.0 * _WEAK else 0.0


def _missed(first: Array, readout: Array, level: float) -> tuple[float, float]:
    """D - lambda I, off the diagonal relative to the units it couples, on it to the largest.

    And the weakest direction of units brought to one size: what couples it to the strong ones is
    to be small beside it.
    """
    if first.shape[0] == 0:
        return 0.0, 1.0
    stacked = np.concatenate([first.T, readout])
    largest = np.abs(stacked).max(axis=0)
    sizes = largest * np.linalg.norm(stacked / np.where(largest > 0, largest, 1.0), axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    a, b = first / sizes[:, None], readout / sizes
    coupled = b.T @ b - a @ a.T
    own = (np.diagonal(coupled) * sizes * sizes - level) / sizes.max() ** 2
    np.fill_diagonal(coupled, own)
    scaled = stacked / sizes
    least = _least(scaled)
    if least == 0.0:
        least = float(np.linalg.svd(scaled, compute_uv=False)[-1]) / np.sqrt(len(sizes))
    return float(np.linalg.norm(coupled)), max(least, _EPS)


def _merged(strengths: Array) -> Array:
    """Singular values that differ by rounding alone, made equal: they grow together for ever."""
    if strengths.size == 0:
        return strengths
    apart = strengths[:-1] - strengths[1:] > 8.0 * _EPS * strengths[0]
    if apart.all():
        return strengths
    group = np.cumsum(np.concatenate([[False], apart]))
    return np.asarray((np.bincount(group, strengths) / np.bincount(group))[group])


def _residual(weights: Array, modes: Array, inside: Array, noise: float) -> tuple[Array, Array]:
    """Basis [modes, rest] of the columns of weights, and their coordinates on the rest."""
    room = modes.shape[0] - modes.shape[1]
    if room == 0 or weights.shape[1] == 0:
        return modes, np.zeros((0, weights.shape[1]))
    rest = weights - modes @ inside
    rest -= modes @ (modes.T @ rest)
    # not QR: columns that depend on each other would bring in directions of the modes
    basis, size, turn = np.linalg.svd(rest, full_matrices=False)
    keep = size > noise
    basis = basis[:, keep] - modes @ (modes.T @ basis[:, keep])
    return np.concatenate([modes, basis], axis=1), size[keep, None] * turn[keep]
