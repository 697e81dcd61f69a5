"""Limits of the recurrent flow for any start: lazy (a small task) and rich (small inputs, readout).

For typical starts the lazy limit has closed forms: `richlazy.formulas.recurrent_limits`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import AssumptionError
from richlazy.laziness import alignment
from richlazy.recurrent.choice import check_fit, training
from richlazy.recurrent.kernel import tangent_kernel
from richlazy.recurrent.network import Network
from richlazy.recurrent.reduction import Training
from richlazy.recurrent.solve import solve
from richlazy.recurrent.task import Task
from richlazy.start import matrices
from richlazy.start.matrices import MatrixLike

__all__ = ["Lazy", "Rich", "lazy", "rich"]

Array = NDArray[np.float64]

_PARTS = ("inputs", "recurrent", "readout")
_SINGULAR = 1e-12  # of the largest eigenvalue of the kernel
_RESTS = 1e-9  # of what is to be learned
_DENSE = 1000  # side up to which the singular values of P are found from P itself
_APART = 1e-6  # relative, of the two leading singular values
_SMALL = 1e-3  # of the root of the strength: from where the rich end state is reached
_SMALLER = 0.1
_LEARNED = 1e-9


@dataclass(frozen=True)
class Lazy:
    """First order in what is to be learned: weight changes; second: how far RA, KA are below 1.

    `condition` is the ratio of the largest to the smallest positive eigenvalue of the tangent
    kernel.
    """

    weight_change: float
    weight_change_inputs: float
    weight_change_recurrent: float
    weight_change_readout: float
    representation_gap: float
    kernel_gap: float
    condition: float


class _End(NamedTuple):
    """Where a small start along the leading pair ends."""

    weight_change_inputs: float
    weight_change_recurrent: float
    weight_change_readout: float
    representation_alignment: float
    kernel_alignment: float
    loss: float


@dataclass(frozen=True, eq=False)
class Rich:
    """The limit of vanishing U and V: how learning starts, and where it ends (t = infinity).

    rate and next_rate are the two leading singular values of P; inputs (N, n) and readout (m, N)
    its leading pair, of norm 1; time is when the start that was given has grown to norm 1 along
    it. U and V begin at 0, so their weight changes are their norms at the end.
    """

    rate: float
    next_rate: float
    inputs: Array
    readout: Array
    time: float
    weight_change_inputs: float
    weight_change_recurrent: float
    weight_change_readout: float
    representation_alignment: float
    kernel_alignment: float
    loss: float
    assumptions: tuple[str, ...]
    accuracy: str


def lazy(net: Network, task: Task, *, trained: Sequence[str] = _PARTS) -> Lazy:
    """The lazy limit of any start: dtheta = J' K_0^-1 (S - F_0), and what it does to RA and KA.

    Asymptotic in S - F_0: weight changes up to its second order, 1 - RA and 1 - KA up to its
    third. Large random starts are special: their first order leaves the kernel at rest up to
    1/sqrt(N), so that 1 - KA here is O(||S||^2 / N) and the fourth power of the task, in
    `formulas.recurrent_limits.second`, is soon larger.

    Parameters
    ----------
    net, task, trained
        As in `solve`.

    Raises
    ------
    AssumptionError
        If the tangent kernel is singular: then some responses do not move to first order (more
        lags than 2 r + 2 at rank r, one channel and output).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> net = Network.random(0.6 * rng.standard_normal((50, 50)) / 50**0.5, rng=rng)
    >>> wanted = solve(net, Task([1.0, 0.0, 0.0])).response(0.0).ravel() + [0.0, 0.0, 1e-3]
    >>> first = lazy(net, Task(wanted)).weight_change_recurrent
    >>> whole = solve(net, Task(wanted)).weight_change_recurrent()
    >>> bool(abs(first / whole - 1) < 1e-3)
    True
    """
    check_fit(net, task)
    small = _Unrolled(net, task, training(trained))
    kernel = small.kernel()
    rates, modes = np.linalg.eigh(kernel)
    gap = task.seen - task.see(small.response())
    parts = modes.T @ gap.ravel()
    still = rates <= _SINGULAR * rates[-1]
    if np.linalg.norm(parts[still]) > _RESTS * np.linalg.norm(parts):
        raise AssumptionError(
            "the tangent kernel is singular: some of what is to be learned does not move to first "
            f"order (its eigenvalues go from {rates[0]:.2g} to {rates[-1]:.2g}); take fewer steps, "
            "train more of the weights, or take a start of higher rank"
        )
    path = modes[:, ~still] @ (parts[~still] / rates[~still])
    du, left, dv = small.change(path.reshape(gap.shape))
    dc, do = small.moved(du, left, dv)
    # the rates of what is not trained are 0, and so are its changes
    right = np.concatenate(small.controls[:-1], axis=1) if task.steps > 1 else left
    changes = (
        float(np.linalg.norm(du)) / net.leak,
        _thin_norm(left, right) / net.leak,
        float(np.linalg.norm(dv)),
    )
    before, slope = small.slopes(dc, do)
    return Lazy(
        float(np.linalg.norm(changes)),
        *changes,
        _gap(before[0], slope[0]),
        _gap(before[1], slope[1]),
        float(rates[-1] / rates[~still][0]),
    )


def rich(net: Network, task: Task) -> Rich:
    """The limit of vanishing inputs and readout at given W: growth along one pair, then its end.

    While U and V are small W rests, and U' = P'V', V'' = P U with P = sum_k S_k (x) W^k: they
    grow along the leading singular pair at the rate sigma_1. The limit end state is that of the
    start a (r, l'), a -> 0. A start of size epsilon is away from it like epsilon^(1 -
    sigma_2/sigma_1): slowly where the two are close.

    Parameters
    ----------
    net
        Its W is kept; of its U and V only the directions (and their sizes relative to each other)
        matter for KA and RA, and the sizes for `time`.
    task
        As in `solve`.

    Raises
    ------
    AssumptionError
        If the two leading singular values agree: then no direction is the first.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> w = 0.8 * rng.standard_normal((30, 30)) / 30**0.5
    >>> found = rich(Network.random(w, input_norm=1e-6, readout_norm=1e-6, rng=rng),
    ...              Task([0.0, 0.0, 1.0]))
    >>> bool(np.isclose(found.rate, np.linalg.norm(w @ w, 2)))
    True
    """
    check_fit(net, task)
    (rate, next_rate), inputs, readout = _leading(net, task)
    if next_rate > (1.0 - _APART) * rate:
        raise AssumptionError(
            f"the leading singular values of P agree ({rate:.6g}, {next_rate:.6g}): inputs and "
            "readout keep the directions of their start"
        )
    along = 0.5 * abs(float(np.sum(net.inputs * inputs) + np.sum(net.readout * readout)))
    size = _SMALL * np.sqrt(task.strength)
    looser, found = (_end(net, task, a * inputs, a * readout) for a in (size, _SMALLER * size))
    gap = max(abs(x - y) / max(x, y) for x, y in zip(looser[:-1], found[:-1], strict=True))
    said = [
        f"a start of size epsilon is away from this limit like epsilon^{1 - next_rate / rate:.2g}"
    ]
    if found.loss > _LEARNED * task.strength**2:
        said.append(
            f"the pair comes to rest with excess loss {found.loss:.3g}: the rest is learned later, "
            "from smaller components, or not at all"
        )
    return Rich(
        rate=rate,
        next_rate=next_rate,
        inputs=inputs,
        readout=readout,
        time=float(np.log(1.0 / along) / rate) if along > 0 else np.inf,
        **found._asdict(),
        assumptions=tuple(said),
        accuracy=f"starts of sizes {size:.1e} and {_SMALLER * size:.1e} agree to {gap:.1e}",
    )


class _Unrolled:
    """C_k and O_j of a network at its start, the leak folded in: A = (1 - a) I + a W, a U."""

    def __init__(self, net: Network, task: Task, trained: Training) -> None:
        self.net, self.task, self.rates = net, task, trained.rates(net.leak)
        self.controls, self.reads = [net.leak * net.inputs], [net.readout]
        for _ in range(task.steps - 1):
            self.controls.append(self.forward(self.controls[-1]))
            self.reads.append(self.backward(self.reads[-1].T).T)

    def forward(self, x: Array) -> Array:
        """A x."""
        return _leaky(self.net, matrices.forward(self.net.recurrent, x), x)

    def backward(self, x: Array) -> Array:
        """A' x."""
        return _leaky(self.net, matrices.adjoint(self.net.recurrent, x), x)

    def response(self) -> Array:
        """F_0, (T, m, n)."""
        return np.stack([self.net.readout @ c for c in self.controls])

    def kernel(self) -> Array:
        """K_0 over (output, lag, channel), seen through the metric."""
        c, o = np.stack(self.controls), np.stack(self.reads)
        return tangent_kernel(c, o, self.task.root).total(self.rates)

    def change(self, path: Array) -> tuple[Array, Array, Array]:
        """J' path: dU, the left factor of dW (the right one is C_0 ... C_(T-2)), and dV."""
        t, n = self.task.steps, self.net.channels
        seen = path if self.task.root is None else path @ self.task.root
        z = seen.reshape(-1, t, n).transpose(1, 0, 2)
        back = [self.reads[0].T @ z[-1]]
        for k in range(t - 2, -1, -1):  # B_k = sum_j O_j' z_(j+k)
            back.insert(0, self.reads[0].T @ z[k] + self.backward(back[0]))
        du = self.rates[0] * back[0]
        left = self.rates[1] * np.concatenate(back[1:], axis=1) if t > 1 else 0.0 * back[0]
        dv = np.sum([x @ c.T for x, c in zip(z, self.controls, strict=True)], axis=0)
        return du, left, np.asarray(self.rates[2] * dv)

    def moved(self, du: Array, left: Array, dv: Array) -> tuple[Array, Array]:
        """First order of C_k and O_j."""
        dc, do = [du], [dv]
        if self.task.steps > 1:
            right = np.concatenate(self.controls[:-1], axis=1)
            for k in range(1, self.task.steps):
                dc.append(self.forward(dc[-1]) + left @ (right.T @ self.controls[k - 1]))
                do.append(self.backward(do[-1].T).T + (self.reads[k - 1] @ left) @ right.T)
        return np.stack(dc), np.stack(do)

    def slopes(self, dc: Array, do: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Gram matrix and kernel at the start, and their derivatives along (dc, do)."""
        c, o = np.stack(self.controls), np.stack(self.reads)
        # a polynomial of degree four along the line: its odd part at two places has the slope
        size = np.sqrt(np.sum(dc**2) / np.sum(c**2) + np.sum(do**2) / np.sum(o**2)) or 1.0

        def odd(step: float) -> tuple[Array, Array]:
            ends = [
                tangent_kernel(c + h * dc, o + h * do, self.task.root)
                for h in (step / size, -step / size)
            ]
            gram = 0.5 * (ends[0].gram - ends[1].gram)
            return gram, 0.5 * (ends[0].total(self.rates) - ends[1].total(self.rates))

        near, far = odd(0.5), odd(1.0)
        slopes = tuple(size * (8.0 * x - y) / 3.0 for x, y in zip(near, far, strict=True))
        rest = tangent_kernel(c, o, self.task.root)
        return (rest.gram, rest.total(self.rates)), (slopes[0], slopes[1])


def _leaky(net: Network, moved: Array, x: Array) -> Array:
    return np.asarray(net.leak * moved + (1.0 - net.leak) * x)


def _thin_norm(left: Array, right: Array) -> float:
    """||left right'||_F."""
    first, second = (np.asarray(np.linalg.qr(x, mode="r")) for x in (left, right))
    return float(np.linalg.norm(first @ second.T))


def _gap(before: Array, slope: Array) -> float:
    """1 - cosine of a matrix with itself plus a small slope, to second order."""
    unit = before / np.linalg.norm(before)
    across = slope - np.sum(slope * unit) * unit
    return 0.5 * float(np.sum(across**2) / np.sum(before**2))


def _leading(net: Network, task: Task) -> tuple[tuple[float, float], Array, Array]:
    """Two singular values of P = a sum_k S_k (x) A^k, and the leading pair: (N, n) and (m, N)."""
    big, n, m, t = net.units, net.channels, net.outputs, task.steps
    wanted = task.seen if task.root is None else task.seen @ task.root
    z = net.leak * wanted.reshape(m, t, n).transpose(1, 0, 2)

    def forward(x: Array) -> Array:
        turned = np.swapaxes(z, 1, 2)
        return _horner(net, matrices.forward, x.reshape(big, n), turned).ravel()

    def backward(x: Array) -> Array:
        return _horner(net, matrices.adjoint, x.reshape(big, m), z).ravel()

    if big * max(n, m) <= _DENSE:
        whole = np.stack([forward(x) for x in np.eye(big * n)], axis=1)
        left, values, right = np.linalg.svd(whole)
    else:
        from scipy.sparse.linalg import LinearOperator, svds

        operator = LinearOperator(
            (big * m, big * n), matvec=forward, rmatvec=backward, dtype=np.float64
        )
        start = np.random.default_rng(0).standard_normal(big * min(n, m))
        left, values, right = svds(operator, 2, v0=start)
        left, values, right = left[:, ::-1], values[::-1], right[::-1]
    second = float(values[1]) if values.size > 1 else 0.0
    return (float(values[0]), second), right[0].reshape(big, n), left[:, 0].reshape(big, m).T


def _horner(
    net: Network, times_w: Callable[[MatrixLike, Array], Array], x: Array, weights: Array
) -> Array:
    """sum_k A^k x weights_k, or with A'."""
    found = x @ weights[-1]
    for here in weights[-2::-1]:
        found = x @ here + _leaky(net, times_w(net.recurrent, found), found)
    return np.asarray(found)


def _end(net: Network, task: Task, inputs: Array, readout: Array) -> _End:
    """Changes of U, W, V, RA, KA and the loss at the end of the start (inputs, W, readout)."""
    solution = solve(Network(inputs, net.recurrent, readout, net.leak), task, tolerance=1e-8)
    state, found = solution.at(np.inf), solution.measures(np.inf)
    every = Training(True, True, True)
    start = _Unrolled(net, task, every)
    first = tangent_kernel(np.stack(start.controls), np.stack(start.reads), task.root)
    c, o = [net.leak * state.inputs], [state.readout]
    for _ in range(task.steps - 1):
        c.append(start.forward(c[-1]) + net.leak * state.left @ (state.right.T @ c[-1]))
        o.append(start.backward(o[-1].T).T + net.leak * (o[-1] @ state.left) @ state.right.T)
    last = tangent_kernel(np.stack(c), np.stack(o), task.root)
    # U and V of the start vanish, and the part of W, of fourth power, before those of U and V
    early = start.rates[0] * first.inputs + start.rates[2] * first.readout
    return _End(
        float(np.linalg.norm(state.inputs)),
        float(found.weight_change_recurrent),
        float(np.linalg.norm(state.readout)),
        _cosine(first.gram, last.gram),
        _cosine(early, last.total(start.rates)),
        float(found.loss),
    )


def _cosine(a: Array, b: Array) -> float:
    return float(alignment(np.sum(a * b), np.sum(a * a), np.sum(b * b)))
