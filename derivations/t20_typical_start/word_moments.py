"""T20: moments of words in a start of random singular vectors."""

from __future__ import annotations

import itertools
from functools import cache

import sympy as sp

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.frame.lag_sums import k
from derivations.t20_typical_start.symbols import CUMULANTS, MOMENTS, all_words, moment, runs

__all__ = ["FORMULAS", "NOTATION", "STEPS"]

k1, k2, k3, k4 = CUMULANTS
m1, m2, m3 = MOMENTS
letters, shortest = sp.symbols("L d", integer=True, positive=True)

FORMULAS = {
    "moment_1": k1,
    "moment_2": k2 + 2 * k1**2,
    "moment_3": k3 + 6 * k1 * k2 + 5 * k1**3,
    "cumulant_1": m1,
    "cumulant_2": m2 - 2 * m1**2,
    "cumulant_3": m3 - 6 * m1 * m2 + 7 * m1**3,
    "word_2_2": k1**2,
    "word_3_3": k1**3,
    "word_2_1_1_2": 2 * k1**3 + k1 * k2,
    "word_2_2_1_1": 2 * k1**3 + k1 * k2,
    "two_runs": k1**k,
    "four_runs": k1**letters + shortest * k1 ** (letters - 2) * (k1**2 + k2),
}

NOTATION = {
    **{x: f"free cumulant of W, W', W, ... ({2 * i} letters)" for i, x in enumerate(CUMULANTS, 1)},
    **{x: f"mean of s^{2 * i} over the singular values of W" for i, x in enumerate(MOMENTS, 1)},
    letters: "number of letters W in a word",
    shortest: "length of the shortest of its four runs",
}


def _word(*lengths):
    """A word by its runs, W first."""
    return tuple(
        (-1) ** place for place, length in enumerate(lengths) for _ in range(length)
    )  # fmt: skip


def _moments(moment_1, moment_2, moment_3):
    claims = (moment_1, moment_2, moment_3)
    return [claim - moment((-1, 1) * power) for power, claim in enumerate(claims, 1)]


def _cumulants(moment_1, moment_2, moment_3, cumulant_1, cumulant_2, cumulant_3):
    inverse = {k1: cumulant_1, k2: cumulant_2, k3: cumulant_3}
    claims = (moment_1, moment_2, moment_3)
    return [x.subs(inverse) - m for x, m in zip(claims, MOMENTS, strict=True)]


def _words(word_2_2, word_3_3, word_2_1_1_2, word_2_2_1_1):
    yield [
        word_2_2 - moment(_word(2, 2)),
        word_3_3 - moment(_word(3, 3)),
        word_2_1_1_2 - moment(_word(2, 1, 1, 2)),
        word_2_2_1_1 - moment(_word(2, 2, 1, 1)),
    ]
    # With (W'W)^p these are all: every other word is one of them turned round, or vanishes.
    known = {_class(_word(*x)) for x in ((2, 2), (3, 3), (2, 1, 1, 2), (2, 2, 1, 1))}
    known |= {_class((1, -1) * power) for power in (1, 2, 3)}
    yield [moment(word) for word in all_words() if _class(word) not in known]


@cache
def _class(word):
    """The first of the words with the same trace: rotations and transposes."""
    transposed = tuple(-x for x in reversed(word))
    return min(w[i:] + w[:i] for w in (word, transposed) for i in range(len(word)))


_H = sp.symbols("h_1:7", positive=True)  # mean of h^p over the singular values, h = s


@cache
def _free_trace(turns, powers):
    """Trace of O^a1 H^p1 O^a2 H^p2 ... for free O (Haar) and H, from freeness alone.

    The trace of a product of centred elements, of O and H in turn, vanishes. Powers of O are
    centred, so it is enough to centre those of H.
    """
    places = range(len(turns))
    if empty := [i for i in places if powers[i] == 0]:
        i = empty[0]  # O^a O^b
        if len(turns) == 1:
            return sp.Integer(int(turns[0] == 0))
        following = (i + 1) % len(turns)
        joined = {following: turns[i] + turns[following]}
        kept = [x for x in places if x != i]
        return _free_trace(
            tuple(joined.get(x, turns[x]) for x in kept), tuple(powers[x] for x in kept)
        )
    if len(turns) == 1:
        return _H[powers[0] - 1] * int(turns[0] == 0)
    if still := [i for i in places if turns[i] == 0]:
        i = still[0]  # H^p H^q
        joined = {(i - 1) % len(turns): powers[i - 1] + powers[i]}
        kept = [x for x in places if x != i]
        return _free_trace(
            tuple(turns[x] for x in kept), tuple(joined.get(x, powers[x]) for x in kept)
        )
    total = sp.S.Zero
    for size in range(1, len(turns) + 1):
        for chosen in itertools.combinations(places, size):
            means = sp.prod([_H[powers[x] - 1] for x in chosen])
            others = tuple(0 if x in chosen else powers[x] for x in places)
            total -= (-1) ** size * means * _free_trace(turns, others)
    return sp.expand(total)


def _polar(word):
    """The powers of O and H in a word, W = O H and W' = H O^-1."""
    pairs = [x for letter in word for x in (((1, 1),) if letter == 1 else ((0, 1), (-1, 0)))]
    return tuple(zip(*pairs, strict=True))


def _free(moment_1, moment_2, moment_3, cumulant_1, cumulant_2, cumulant_3):
    even = {_H[2 * i + 1]: m for i, m in enumerate(MOMENTS)}
    inverse = {k1: cumulant_1, k2: cumulant_2, k3: cumulant_3}
    for power, claim in enumerate((moment_1, moment_2, moment_3), 1):
        yield claim.subs(inverse) - _free_trace((0,), (2 * power,)).subs(even)
    for word in all_words():
        trace = _free_trace(*_polar(word))
        yield trace.subs(even) - moment(word).subs(inverse)


def _runs(two_runs, four_runs):
    yield [two_runs.subs(k, n) - moment(_word(n, n)) for n in range(1, 6)]
    yield [moment(_word(n, n - 1)) for n in range(2, 6)]
    for a, b, c in itertools.product(range(1, 4), repeat=3):
        d = a + c - b
        if d > 0:
            claimed = four_runs.subs({letters: a + c, shortest: min(a, b, c, d)})
            yield claimed - moment(_word(a, b, c, d))
    # A word of 2 p runs knows the cumulants up to kappa_p only.
    for word in all_words(8):
        yield [sp.diff(moment(word), x) for x in CUMULANTS[runs(word) // 2 :]]


STEPS = (
    Step(
        ("moment_1", "moment_2", "moment_3"),
        "W = X diag(s) Y' with random X and Y is R-diagonal as N grows: of its free cumulants "
        "only those of W, W', W, ... in turn are not zero. The normalised trace of a word, and "
        "what the word does on a random direction, is the sum over non-crossing partitions into "
        "such blocks. For (W'W)^p:",
        Zero(_moments),
    ),
    Step(
        ("cumulant_1", "cumulant_2", "cumulant_3"),
        "Solved for the cumulants.",
        Zero(_cumulants),
    ),
    Step(
        ("word_2_2", "word_3_3", "word_2_1_1_2", "word_2_2_1_1"),
        "All other words of up to six letters that do not vanish, named by their runs: 2_1_1_2 is "
        "W W W' W W' W'. Every word of up to six letters is one of them or of (W'W)^p up to "
        "rotation and transposition, or vanishes.",
        Zero(_words),
    ),
    Step(
        ("moment_1", "moment_2", "moment_3", "cumulant_1", "cumulant_2", "cumulant_3"),
        "The same without cumulants: W = O H with O Haar and free from H. Freeness alone gives "
        "all 126 words; the odd moments of H cancel.",
        Zero(_free),
    ),
    Step(
        ("two_runs", "four_runs"),
        "In a block of p letters W and p letters W' no two neighbours lie in one run, so that a "
        "word of 2 p runs knows no cumulant beyond kappa_p. With two runs only nested pairs are "
        "left; with four, pairs and one block of four, and the shortest run counts how often it "
        "fits. Run lengths up to three; all words up to eight letters.",
        Zero(_runs),
    ),
)
