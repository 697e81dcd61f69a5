"""Series of a typical network along the climb of one response, in words on its two roots.

Vectors are combinations {(root, word): coefficient} of words in W(0), W(0)' on U(0) or V(0)';
their inner products are the word moments, and different roots are orthogonal.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import sympy as sp

from derivations.t20_typical_start.symbols import moment, u, v

__all__ = ["Climb", "climb", "inner"]


def inner(first, second):
    """Inner product of two combinations of words."""
    total = sp.S.Zero
    for (root, word), x in first.items():
        for (other, following), y in second.items():
            if root == other:
                joined = (*(-letter for letter in reversed(word)), *following)
                total += x * y * moment(joined) * root**2
    return sp.expand(total)


def _combined(*terms):
    total = defaultdict(lambda: sp.S.Zero)
    for factor, vector in terms:
        for place, x in vector.items():
            total[place] += factor * x
    return {place: y for place, x in total.items() if (y := sp.expand(x)) != 0}


class Climb:
    """Power series in tau of U' = O_k', V' = C_k', W' = sum O_j' C_i', the gradient of F_k.

    Attributes
    ----------
    U, V
        Coefficients of the powers of tau, as combinations of words.
    W
        From the first power on, lists of (left, right): the sum of left right'.
    """

    def __init__(self, lag: int, order: int) -> None:
        self.lag = lag
        self.U, self.V, self.W = [{(u, ()): sp.S.One}], [{(v, ()): sp.S.One}], [[]]
        for n in range(order):
            driven, read = self.powers(self.U, 1), self.powers(self.V, -1)
            share = sp.Rational(1, n + 1)
            self.W.append(
                [
                    (_combined((share, read[lag - 1 - i][x])), driven[i][n - x])
                    for i in range(lag)
                    for x in range(n + 1)
                    if read[lag - 1 - i][x] and driven[i][n - x]
                ]
            )
            self.U.append(_combined((share, read[lag][n])))
            self.V.append(_combined((share, driven[lag][n])))

    def powers(self, vector, letter, most=None):
        """W (1) or W' (-1) on a vector, 0 to lag (or most) times, each a series."""
        found = [vector]
        for _ in range(self.lag if most is None else most):
            found.append([self._applied(found[-1], n, letter) for n in range(len(vector))])
        return found

    def _applied(self, vector, n, letter):
        terms = [(1, {(root, (letter, *word)): x for (root, word), x in vector[n].items()})]
        for order in range(1, n + 1):
            for left, right in self.W[order]:
                out, into = (left, right) if letter == 1 else (right, left)
                terms.append((inner(into, vector[n - order]), out))
        return _combined(*terms)

    def product(self, first, second, n):
        """Coefficient n of the inner product of two series of vectors."""
        return sp.expand(sum(inner(first[x], second[n - x]) for x in range(n + 1)))

    def change_squared(self, n):
        """Coefficient n of |W - W(0)|^2."""
        return sp.expand(
            sum(
                inner(left, other_left) * inner(right, other_right)
                for order in range(1, n)
                for left, right in self.W[order]
                for other_left, other_right in self.W[n - order]
            )
        )


@cache
def climb(lag: int, order: int = 3) -> Climb:
    """Return the series to this order."""
    return Climb(lag, order)
