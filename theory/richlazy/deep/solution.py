"""T11 at any depth: gradient flow of deep linear networks f(x) = W_L ... W_1 x.

    dW_l/dt = B_l' E A_l',   A_l = W_{l-1} ... W_1,   B_l = W_L ... W_{l+1},
    E = cov_yx - W_L ... W_1 cov_xx.

The weight changes are integrated by the extrapolated, linearly implicit Euler steps of
`richlazy.flow`, whose implicit part needs the tangent kernel sum_l B_l B_l' (x) A_l cov_xx A_l'
in function space only: dense, and factorised once a step. So a start however large costs no
more steps than a small one. Inputs are first reduced and written in the eigenbasis of
cov_xx, hidden layers and outputs to the directions that can move; both are exact. A network
of one layer has a closed form.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.deep.flow import Products, Small, integrate
from richlazy.errors import real_array
from richlazy.errors import times as checked_times
from richlazy.integration.shared import Shared
from richlazy.laziness import Measures, alignment, defined, difference
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.reduction.subspace import (
    independent,
    invariant_subspace,
    reachable,
    reachable_outputs,
)

__all__ = ["DeepSolution", "solve"]

Array = NDArray[np.float64]

_TOLERANCE = 1e-10
_LOOSER = 100.0  # times the tolerance: the second run of the certificate
_SADDLE = 1e-12  # of the loss of zero weights: above it, an end is not the least squares map


def solve(weights: Sequence[ArrayLike], task: Task) -> DeepSolution:
    """Gradient flow of a linear network of any depth.

    Parameters
    ----------
    weights
        Initial weights [W1, ..., WL], W_l mapping layer l - 1 to layer l: W1 has a column
        for each input of the task, WL a row for each of its outputs. L >= 1.
    task
        Any `Task`; inputs need not be white.

    Raises
    ------
    ValueError
        If the shapes do not chain.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> task = Task.random(10, 2, rng=rng)
    >>> weights = [0.5 * rng.standard_normal(s) for s in ((6, 10), (6, 6), (2, 6))]
    >>> sol = solve(weights, task)
    >>> bool(sol.loss() < 1e-15), bool(sol.drift() < 1e-9)
    (True, True)
    """
    return DeepSolution(_checked(weights, task), task)


class DeepSolution(Shared):
    """The trajectory of a deep linear network on one task, from `deep.solve`.

    Every measure takes t, a number or an array, infinity allowed, and has the shape of t
    (time = learning rate x steps). May be shared between threads, which get what each would get
    alone; `assumptions` and `accuracy` then speak of the answers to all of them.

    Attributes
    ----------
    start : list of ndarray
        Initial weights, first layer first.
    task : Task
    """

    def __init__(self, start: list[Array], task: Task) -> None:
        super().__init__()
        self.start, self.task = start, task
        self._bases, self._small, self._lost = _reduced(start, task)
        self._worst = 0.0
        self._note: tuple[str, ...] = ()

    @property
    def depth(self) -> int:
        """Number of layers of weights, L."""
        return len(self.start)

    @property
    def method(self) -> str:
        """How the trajectory is found, with its T-id."""
        return "closed form (T11, one layer)" if self.depth == 1 else "flow (T11, any depth)"

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the method needed, and what else a reader should know."""
        sizes = [basis.shape[1] for basis in self._bases]
        return (f"integrated on the invariant subspace: layers of {sizes}", *self._note)

    @property
    def accuracy(self) -> str:
        """How far the numbers given so far can be trusted."""
        if self.depth == 1:
            return "closed form, to rounding"
        return f"two tolerances agree to {self._worst:.1e} relative"

    def measures(self, t: ArrayLike = np.inf) -> Measures:
        """Every measure at t; an undefined alignment is NaN here, an error from its own method.

        `weight_change_input` is that of the first layer, `weight_change_readout` of the last
        (of one layer, both are the same).
        """
        return Measures(*self._answers(t, self._certified))

    def loss(self, t: ArrayLike = np.inf) -> Array:
        """Excess loss 1/2 E ||(W* - W_L ... W_1) x||^2."""
        return self.measures(t).loss

    def weight_change(self, t: ArrayLike = np.inf) -> Array:
        """||dW||_F of all layers together."""
        return self.measures(t).weight_change

    def representation_alignment(self, t: ArrayLike = np.inf) -> Array:
        """RA of the first layer: tr(R_0 R_t) / (||R_0|| ||R_t||), R = W1'W1.

        With inputs that are not white, of cov_xx^(1/2) R cov_xx^(1/2).

        Raises
        ------
        UndefinedError
            Where it is 0/0.
        """
        return defined(self.measures(t).representation_alignment, "representation alignment")

    def kernel_alignment(self, t: ArrayLike = np.inf) -> Array:
        """KA of the tangent kernel over the data, between 0 and t.

        K = sum_l (A_l cov_xx^(1/2))'(A_l cov_xx^(1/2)) (x) B_l B_l', index order (input, output).
        From traces, tr K_0 K_t = sum_{k,l} ||A_k cov_xx A_l'||^2 ||B_k'B_l||^2.

        Raises
        ------
        UndefinedError
            Where it is 0/0.
        """
        return defined(self.measures(t).kernel_alignment, "kernel alignment")

    def weights(self, t: ArrayLike) -> list[Array]:
        """W_1(t), ..., W_L(t), each of the shape of t followed by that of the layer."""
        at = checked_times(t)
        distinct, place = np.unique(at, return_inverse=True)
        changes = integrate(self._small, distinct, _TOLERANCE)
        found = []
        for i, start in enumerate(self.start):
            moved = np.stack([change[i] for change in changes])[place.reshape(at.shape)]
            found.append(start + self._bases[i + 1] @ moved @ self._bases[i].T)
        return found

    def drift(self, t: float = np.inf) -> float:
        """Change of W_{l+1}'W_{l+1} - W_l W_l', all l together, relative to ||W||^2 (T1).

        A necessary sign of accuracy only: any error of W* conserves them as well.
        """
        (change,) = integrate(self._small, checked_times(t, ndim=0)[None], _TOLERANCE)
        before = self._small.weights
        after = [w + c for w, c in zip(before, change, strict=True)]
        size = sum(float(np.sum(w * w)) for w in after)
        moved = sum(
            float(np.sum((_balance(after, i) - _balance(before, i)) ** 2))
            for i in range(self.depth - 1)
        )
        return float(np.sqrt(moved)) / size if size > 0 else 0.0

    def _certified(self, at: Array) -> Measures:
        """Measures at ascending times, and how far a run at 100 times the tolerance is off."""
        found = self._measured(integrate(self._small, at, _TOLERANCE))
        if self.depth > 1:
            loose = self._measured(integrate(self._small, at, _LOOSER * _TOLERANCE))
            self._worst = max(self._worst, difference(found, loose))
        ceiling = 0.5 * float(np.sum(self.task.whitened**2))
        if np.isinf(at[-1]) and found.loss[-1] > _SADDLE * ceiling:
            self._note = (
                f"the flow comes to rest with excess loss {found.loss[-1]:.3g}: at a saddle, or at "
                "the least that these layers allow",
            )
        return found

    def _measured(self, changes: list[list[Array]]) -> Measures:
        rows = []
        small = self._small
        first = Products(small, small.weights)
        for change in changes:
            later = Products(small, [w + c for w, c in zip(small.weights, change, strict=True)])
            ra, ka = _alignments(first, later, small)
            layers = [float(np.linalg.norm(c)) for c in change]
            total = float(np.linalg.norm(layers))
            loss = 0.5 * float(np.sum(later.error**2)) + self._lost
            rows.append((total, layers[0], layers[-1], ra, ka, loss))
        return Measures(*np.array(rows).T)


def _checked(weights: Sequence[ArrayLike], task: Task) -> list[Array]:
    layers = [real_array(w, f"weights[{i}]", ndim=2) for i, w in enumerate(weights)]
    if not layers:
        raise ValueError("weights must hold at least one layer; it is empty")
    sizes = [task.inputs, *(len(w) for w in layers)]
    for i, w in enumerate(layers):
        if w.shape[1] != sizes[i]:
            source = "the inputs of the task" if i == 0 else f"the rows of weights[{i - 1}]"
            raise ValueError(
                f"weights[{i}] must have {sizes[i]} columns, {source}; its shape is {w.shape}"
            )
    if sizes[-1] != task.outputs:
        raise ValueError(
            f"the last layer must have {task.outputs} rows, the outputs of the task; the shape of "
            f"weights[{len(layers) - 1}] is {layers[-1].shape}"
        )
    return layers


def _reduced(weights: list[Array], task: Task) -> tuple[list[Array], Small, float]:
    """Bases of every layer (inputs first), the small network, and the loss it leaves out.

    Inputs: what can move of every eigenspace of cov_xx. Hidden layer l: range of W_l and row
    space of W_{l+1}. Outputs: range of W_L and of cov_yx.
    """
    reduced = invariant_subspace(Network(weights[0]), task)
    inputs, root = reduced.right, reduced.problem.root
    assert inputs is not None
    last = weights[-1] if np.any(weights[-1]) else None
    cov_yx = task.cov_yx @ inputs
    if root is None:
        gains = np.ones(inputs.shape[1])
        if len(weights) > 1:
            size = float(np.linalg.norm(weights[0], 2))
            cov_yx = reachable(weights[0], last, task, size) @ inputs
    else:
        if len(weights) > 1:
            cov_yx = reachable_outputs(weights[0] @ inputs, weights[-1], cov_yx, root)
        values, vectors = np.linalg.eigh(root)
        moving = values > 1e-8 * values[-1]
        gains, inputs = values[moving], inputs @ vectors[:, moving]
        cov_yx = cov_yx @ vectors[:, moving]
    target = cov_yx / gains
    lost = 0.5 * float(np.sum((task.whitened @ inputs - target) ** 2))
    bases = [inputs]
    for before, after in zip(weights, [*(w.T for w in weights[1:]), task.cov_yx], strict=True):
        bases.append(_span(before, after))
    small = [bases[i + 1].T @ w @ bases[i] for i, w in enumerate(weights)]
    variance = float(task.inputs if task.cov_xx is None else np.sum(task.cov_xx**2))
    return bases, Small(small, gains, bases[-1].T @ target, variance, float(task.outputs)), lost


def _span(*blocks: Array) -> Array:
    """Orthonormal basis of the columns of all blocks; the identity if that is everything."""
    sizes = [float(np.linalg.norm(block, 2)) for block in blocks]
    joined = [b / size for b, size in zip(blocks, sizes, strict=True) if size > 0]
    if not joined:
        return np.zeros((len(blocks[0]), 0))
    basis = independent(np.concatenate(joined, axis=1), 1.0)
    return np.eye(len(basis)) if basis.shape[0] == basis.shape[1] else basis


def _balance(weights: Sequence[Array], i: int) -> Array:
    return weights[i + 1].T @ weights[i + 1] - weights[i] @ weights[i].T


def _alignments(first: Products, later: Products, small: Small) -> tuple[float, float]:
    """RA of the first layer and KA, NaN where 0/0."""

    def inner(a: Products, b: Products) -> float:
        total = 0.0
        for k, (a_in, a_out) in enumerate(zip(a.inner, a.outer, strict=True)):
            for l, (b_in, b_out) in enumerate(zip(b.inner, b.outer, strict=True)):
                seen = small.variance if k == l == 0 else _square(a_in @ b_in.T)
                read = small.outputs if k == l == len(a.inner) - 1 else _square(a_out.T @ b_out)
                total += seen * read
        return total

    ka = alignment(inner(first, later), inner(first, first), inner(later, later))
    grams = [
        _square(x @ y.T)
        for x, y in ((first.seen, later.seen), *([w, w] for w in (first.seen, later.seen)))
    ]
    return float(alignment(*grams)), float(ka)


def _square(x: Array) -> float:
    return float(np.sum(x * x))
