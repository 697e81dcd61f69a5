"""T11 at any depth: gradient flow of deep linear networks f(x) = W_L ... W_1 x.

    dW_l/dt = B_l' E A_l',   A_l = W_{l-1} ... W_1,   B_l = W_L ... W_{l+1},
    E = cov_yx - W_L ... W_1 cov_xx.

The weight changes are integrated by the extrapolated, linearly implicit Euler steps of
`richlazy.flow`, whose implicit part needs the tangent kernel sum_l B_l B_l' (x) A_l cov_xx A_l'
in function space only: dense, and factorised once a step. So a start however large costs no
more steps than a small one. Inputs are first reduced and written in the eigenbasis of
cov_xx, hidden layers and outputs to the directions that can move; both are exact. Blocks that
never meet are integrated apart (`parts`), and balanced modes follow T4; a network of one layer
has a closed form.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.deep import mode
from richlazy.deep.flow import Products, Small
from richlazy.deep.integrate import integrate
from richlazy.deep.parts import assembled, parts_of
from richlazy.deep.reduction import reduced
from richlazy.errors import real_array, several
from richlazy.errors import times as checked_times
from richlazy.integration.shared import Shared, distinct
from richlazy.laziness import Measures, alignment, along_task, change_rank, defined, difference
from richlazy.start.task import Task, as_task
from richlazy.summary import summary

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
    return DeepSolution(weights, task)


class DeepSolution(Shared):
    """The trajectory of a deep linear network on one task, from `deep.solve`.

    Every measure takes t, a number or an array, infinity allowed, and has the shape of t
    (time = learning rate x steps). May be shared between threads, which get what each would get
    alone; `assumptions` and `accuracy` then speak of the answers to all of them.

    Attributes
    ----------
    start : list of ndarray
        Initial weights, first layer first.
    task : ~richlazy.Task
    """

    def __init__(self, start: Sequence[ArrayLike], task: Task) -> None:
        super().__init__()
        self.task = as_task(task)
        self.start = _checked(start, task)
        self._bases, self._small, self._lost = reduced(self.start, task)
        self._parts = parts_of(self._small) if len(self.start) > 1 else []
        self._closed = bool(self._parts) and all(mode.balanced(p.small) for p in self._parts)
        self._beyond = _beyond(self.start, self._bases)
        self._worst = 0.0
        self._note: tuple[str, ...] = ()

    def __repr__(self) -> str:
        widths = [self.task.inputs, *(len(w) for w in self.start)]
        norm = float(np.sqrt(sum(np.sum(w * w) for w in self.start)))
        return summary(
            self,
            method=self.method,
            layers=self.depth,
            widths=" -> ".join(map(str, widths)),
            norm=norm,
            task=self.task,
        )

    @property
    def depth(self) -> int:
        """Number of layers of weights, L."""
        return len(self.start)

    @property
    def method(self) -> str:
        """How the trajectory is found, with its T-id."""
        if self.depth == 1:
            return "closed form (T11, one layer)"
        if self._closed:
            return "closed form (T4, balanced modes)"
        return "flow (T11, any depth)"

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the method needed, and what else a reader should know."""
        sizes = [basis.shape[1] for basis in self._bases]
        said = [f"integrated on the invariant subspace: layers of {sizes}"]
        if len(self._parts) > 1:
            said.append(f"{len(self._parts)} parts that never meet, each at its own scale")
        ceiling = 0.5 * float(np.sum(self.task.whitened**2))
        if self._beyond > 0.0 and self._lost > _SADDLE * ceiling:
            said.append(
                f"what lies beyond is at most {self._beyond:.0e} of its layer, taken for rounding: "
                f"of the task it leaves {self._lost:.3g} of excess loss at every time"
            )
        return (*said, *self._note)

    @property
    def accuracy(self) -> str:
        """How far the numbers given so far can be trusted."""
        if self.depth == 1:
            return "closed form, to rounding"
        closed = "closed form, to {:.1e} relative, what rounding makes of the plateau"
        said = (closed if self._closed else "two tolerances agree to {:.1e} relative").format(
            self._worst
        )
        gap = max((part.gap for part in self._parts), default=0.0)
        return f"{said}; parts are apart to {gap:.0e} of their least weights" if gap > 0 else said

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

    def target_alignment(self, t: ArrayLike = np.inf) -> Array:
        """Alignment of the tangent kernel at t with the task (T21), at most 1.

        <S, K S> / (||K|| ||S||^2), S = W* cov_xx^(1/2); <S, K S> = sum_l ||B_l' cov_yx A_l'||^2.

        Raises
        ------
        UndefinedError
            Where it is 0/0.
        """
        return defined(self.measures(t).target_alignment, "target alignment")

    def change_rank(self, t: ArrayLike = np.inf) -> list[Array]:
        """Participation ratio of the change of every layer, first layer first, shape of t.

        (||dW||^2)^2 / ||dW dW'||^2: over how many directions a change is spread (T21).

        Raises
        ------
        UndefinedError
            Where a layer has not moved, as at t = 0.
        """
        at, place = distinct(t)
        layers = zip(*self._changes(at), strict=True)
        return [change_rank(np.stack(layer))[place] for layer in layers]

    def weights(self, t: ArrayLike) -> list[Array]:
        """W_1(t), ..., W_L(t), each of the shape of t followed by that of the layer."""
        at, place = distinct(t)
        changes = self._changes(at)
        found = []
        for i, start in enumerate(self.start):
            moved = np.stack([change[i] for change in changes])[place]
            found.append(start + self._bases[i + 1] @ moved @ self._bases[i].T)
        return found

    def drift(self, t: float = np.inf) -> float:
        """Change of W_{l+1}'W_{l+1} - W_l W_l', all l together, relative to ||W||^2 (T1).

        A necessary sign of accuracy only: any error of W* conserves them as well.
        """
        (change,) = self._changes(checked_times(t, ndim=0)[None])
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
        found = self._measured(self._changes(at))
        if self.depth > 1:
            loose = self._measured(self._changes(at, _LOOSER * _TOLERANCE))
            self._worst = max(self._worst, difference(found, loose))
            known = [mode.accuracy(p.small, at) for p in self._parts if mode.balanced(p.small)]
            self._worst = max([self._worst, *known])
        ceiling = 0.5 * float(np.sum(self.task.whitened**2))
        if np.isinf(at[-1]) and found.loss[-1] > _SADDLE * ceiling:
            self._note = (
                f"the flow comes to rest with excess loss {found.loss[-1]:.3g}: at a saddle, or at "
                "the least that these layers allow",
            )
        return found

    def _changes(self, at: Array, rtol: float = _TOLERANCE) -> list[list[Array]]:
        """Weight changes of the small network at ascending times, part by part."""
        if self.depth == 1:
            return integrate(self._small, at, rtol)
        found = [
            mode.changes(part.small, at)
            if mode.balanced(part.small)
            else integrate(part.small, at, rtol)
            for part in self._parts
        ]
        return [
            assembled(self._small, self._parts, [change[i] for change in found])
            for i in range(at.size)
        ]

    def _measured(self, changes: list[list[Array]]) -> Measures:
        rows = []
        small = self._small
        task = _square(small.target) + 2.0 * self._lost  # what is out of reach is part of it
        first = Products(small, small.weights)
        for change in changes:
            later = Products(small, [w + c for w, c in zip(small.weights, change, strict=True)])
            ra, ka, ta = _alignments(first, later, small, task)
            layers = [float(np.linalg.norm(c)) for c in change]
            total = float(np.linalg.norm(layers))
            loss = 0.5 * float(np.sum(later.error**2)) + self._lost
            rows.append((total, layers[0], layers[-1], ra, ka, ta, loss))
        return Measures(*np.array(rows).T)


def _checked(weights: Sequence[ArrayLike], task: Task) -> list[Array]:
    layers = [
        real_array(w, f"weights[{i}]", ndim=2)
        for i, w in enumerate(several(weights, "weights", "write [W1, ..., WL]"))
    ]
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


def _beyond(weights: Sequence[Array], bases: Sequence[Array]) -> float:
    """The largest share of a layer that no reduced layer holds."""
    share = 0.0
    for w, before, after in zip(weights, bases, bases[1:], strict=False):
        size = float(np.linalg.norm(w))
        rest = w - after @ (after.T @ w @ before) @ before.T
        share = max(share, float(np.linalg.norm(rest)) / size if size > 0 else 0.0)
    return share


def _balance(weights: Sequence[Array], i: int) -> Array:
    return weights[i + 1].T @ weights[i + 1] - weights[i] @ weights[i].T


def _alignments(
    first: Products, later: Products, small: Small, task: float
) -> tuple[float, float, float]:
    """RA of the first layer, KA and target alignment, NaN where 0/0; `task` is ||S||^2."""

    def inner(a: Products, b: Products) -> float:
        total = 0.0
        for k, (a_in, a_out) in enumerate(zip(a.inner, a.outer, strict=True)):
            for l, (b_in, b_out) in enumerate(zip(b.inner, b.outer, strict=True)):
                seen = small.variance if k == l == 0 else _square(a_in @ b_in.T)
                read = small.outputs if k == l == len(a.inner) - 1 else _square(a_out.T @ b_out)
                total += seen * read
        return total

    square = inner(later, later)
    ka = alignment(inner(first, later), inner(first, first), square)
    moved = np.asarray(sum(_square(x) for x in later.pulled(small.target)))
    ta = alignment(along_task(moved, task), 1.0, square)
    grams = [
        _square(x @ y.T)
        for x, y in ((first.seen, later.seen), *([w, w] for w in (first.seen, later.seen)))
    ]
    return float(alignment(*grams)), float(ka), float(ta)


def _square(x: Array) -> float:
    return float(np.sum(x * x))
