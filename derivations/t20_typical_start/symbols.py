"""T20: words in W and W', their moments, and the symbols of the typical recurrent start."""

from __future__ import annotations

import itertools
from functools import cache

import sympy as sp

from derivations.t16_recurrent_flow.symbols import N

__all__ = [
    "CUMULANTS", "MOMENTS", "PR", "K", "N", "all_words", "g", "moment", "nu", "runs", "s", "u", "v",
]  # fmt: skip

MOMENTS = sp.symbols("m_1:4", positive=True)
CUMULANTS = sp.symbols("kappa_1:5", real=True)
g, nu, PR, u, v, s, K = sp.symbols("g nu PR u v s K", positive=True)


def all_words(longest=6):
    """Every word in W (1) and W' (-1), shortest first."""
    for length in range(1, longest + 1):
        yield from itertools.product((1, -1), repeat=length)


@cache
def moment(word):
    """The normalised trace of a word from the free cumulants of W.

    W is R-diagonal: the only cumulants are those of W, W', W, W', ... in turn. The sum is over
    non-crossing partitions, built from the block of the first letter.
    """
    if not word:
        return sp.S.One
    total = sp.S.Zero
    for size in range(2, len(word) + 1, 2):
        if size // 2 > len(CUMULANTS):
            break
        for rest in itertools.combinations(range(1, len(word)), size - 1):
            block = (0, *rest)
            if any(word[x] == word[y] for x, y in itertools.pairwise(block)):
                continue
            ends = (*rest, len(word))
            inside = (moment(word[x + 1 : y]) for x, y in zip(block, ends, strict=True))
            total += CUMULANTS[size // 2 - 1] * sp.prod(inside)
    return sp.expand(total)


def runs(word):
    """The number of runs of equal letters round the word."""
    return sum(word[i] != word[i - 1] for i in range(len(word)))
