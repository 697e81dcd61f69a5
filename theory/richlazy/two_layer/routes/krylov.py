"""T15: Krylov chains, grown as far as the times asked for need."""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.march import total_norm
from richlazy.laziness import Measures
from richlazy.two_layer.flow import Change
from richlazy.two_layer.reduction.krylov import Reduced
from richlazy.two_layer.routes.certificate import (
    FIRST_ORDER,
    Chain,
    first_guess,
    integrated,
    left_unlearned,
    measured,
    single,
    spread_over_orders,
)
from richlazy.two_layer.routes.doubt import Doubt

__all__ = ["ByKrylov", "beyond"]

Array = NDArray[np.float64]

_GRID = np.geomspace(1e-2, 1e8, 400)  # of times, over the slowest of the start
_ENDLESS = 700.0  # power of e
_LEAST = 1e-300


def beyond(chain: Chain) -> tuple[str, ...]:
    """What to say of directions that a chain has taken for rounding."""
    lost = chain.left_out
    return (f"what lies beyond is at most {lost:.0e} of W1, taken for rounding",) if lost else ()


class ByKrylov:
    """T15: chains grown until two orders agree at the times asked for."""

    def __init__(self, chain: Chain, assumptions: tuple[str, ...], graded: bool = False) -> None:
        self.chain, self._graded = chain, graded
        chain.grow(FIRST_ORDER)
        self.reduced = self._largest = chain.reduced()
        self._begin = first_guess(chain)  # for every question: none depends on those before
        self._assumptions = assumptions
        self._rest: tuple[str, ...] = ()
        self.doubt = Doubt()

    @property
    def method(self) -> str:
        """Name, with the hidden units of the largest small network needed so far."""
        return f"krylov (T15), k={_hidden(self._largest)}"

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What it needed, and how the reduction ended."""
        state = "complete" if self._largest.complete else "cut where two orders agree"
        said = (*self._largest.said, f"Krylov space {state}", *beyond(self.chain))
        return (*self._assumptions, *said, *self._rest)

    @property
    def accuracy(self) -> str:
        """Agreement of the runs made so far."""
        orders = "" if self._largest.complete else "two Krylov orders and "
        said = f"{orders}two tolerances agree to {self.doubt}"
        known = np.isfinite(self.doubt.relative)
        return said if known else f"unknown, since what lies beyond may have grown; {said}"

    def changes(self, at: Array) -> list[Change]:
        """Weight changes of the small network at ascending times."""
        self.measures(at)  # finds the order that these times need
        return integrated(self.reduced, at)

    def measures(self, at: Array) -> Measures:
        """Measures of the large network at ascending times."""
        chain = copy(self.chain)  # an interrupt leaves the route as it was
        found, self.reduced, doubt = spread_over_orders(chain, at, begin=self._begin)
        self.chain, self._largest = chain, max(self._largest, self.reduced, key=_hidden)
        self.doubt.include(doubt)
        if self._graded and chain.left_out:
            self._take_beyond(at, single(found))
        if np.isinf(at[-1]):
            self._rest = self._rest or left_unlearned(self.reduced, float(found.loss[-1, 0]))
        return single(found)

    def _take_beyond(self, at: Array, found: Measures) -> None:
        """Take in that weak weights beyond the chain, here no rounding, may have grown.

        The error left drives them, two layers of one another, at its norm at most.
        """
        first, readout, _, root = self.reduced.problem
        spread = 1.0 if root is None else float(np.linalg.norm(root, 2))
        fastest = spread * float(np.sqrt(2.0 * self._losses(np.zeros(1))[0]))
        if fastest == 0.0:
            return
        between = _GRID / fastest
        times = np.unique(np.r_[0.0, between[between < at[-1]], at[np.isfinite(at)]])
        rates = spread * np.sqrt(2.0 * self._losses(times)[:-1])  # falling: as much at most
        growth = np.r_[0.0, np.cumsum(rates * np.diff(times))]
        here = np.minimum(growth[np.searchsorted(times, np.minimum(at, times[-1]))], _ENDLESS)
        weights = total_norm([first, readout])[0]
        beyond = self.chain.left_out * weights * np.expm1(here)
        beyond = np.where(beyond > weights + found.weight_change, np.inf, beyond)
        moved = beyond > 0
        beyond, change, loss = beyond[moved], found.weight_change[moved], found.loss[moved]
        self.doubt.relative = max(self.doubt.relative, np.max(beyond / change, initial=0.0))
        error = np.sqrt(2.0 * np.maximum(loss, _LEAST))
        self.doubt.take_loss(loss, 2.0 * spread * (weights + change) * beyond / error)

    def _losses(self, at: Array) -> Array:
        return single(measured(self.reduced, integrated(self.reduced, at))).loss


def _hidden(reduced: Reduced) -> int:
    return int(reduced.problem.first.shape[1])
