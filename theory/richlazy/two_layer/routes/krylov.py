"""T15: Krylov chains, grown as far as the times asked for need."""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray

from richlazy.laziness import Measures
from richlazy.two_layer.flow import Change
from richlazy.two_layer.reduction.krylov import Reduced
from richlazy.two_layer.routes.certificate import (
    FIRST_ORDER,
    Chain,
    first_guess,
    integrated,
    left_unlearned,
    single,
    spread_over_orders,
)
from richlazy.two_layer.routes.doubt import Doubt

__all__ = ["ByKrylov", "beyond"]

Array = NDArray[np.float64]


def beyond(chain: Chain) -> tuple[str, ...]:
    """What to say of directions that a chain has taken for rounding."""
    lost = chain.left_out
    return (f"what lies beyond is at most {lost:.0e} of W1, taken for rounding",) if lost else ()


class ByKrylov:
    """T15: chains grown until two orders agree at the times asked for."""

    def __init__(self, chain: Chain, assumptions: tuple[str, ...]) -> None:
        self.chain = chain
        chain.grow(FIRST_ORDER)
        self.reduced = self._largest = chain.reduced()
        self._begin = first_guess(chain)  # for every question: none depends on those before
        self._assumptions = assumptions
        self._rest: tuple[str, ...] = ()
        self._doubt = Doubt()

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
        return f"{orders}two tolerances agree to {self._doubt}"

    def changes(self, at: Array) -> list[Change]:
        """Weight changes of the small network at ascending times."""
        self.measures(at)  # finds the order that these times need
        return integrated(self.reduced, at)

    def measures(self, at: Array) -> Measures:
        """Measures of the large network at ascending times."""
        chain = copy(self.chain)  # an interrupt leaves the route as it was
        found, self.reduced, doubt = spread_over_orders(chain, at, begin=self._begin)
        self.chain, self._largest = chain, max(self._largest, self.reduced, key=_hidden)
        self._doubt.include(doubt)
        if np.isinf(at[-1]):
            self._rest = self._rest or left_unlearned(self.reduced, float(found.loss[-1, 0]))
        return single(found)


def _hidden(reduced: Reduced) -> int:
    return int(reduced.problem.first.shape[1])
