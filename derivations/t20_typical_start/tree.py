"""T20: the tree of Golub-Kahan chains has the moments of the typical start."""

from __future__ import annotations

from collections import defaultdict

import sympy as sp

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.t16_recurrent_flow.symbols import m as outputs
from derivations.t16_recurrent_flow.symbols import n as channels
from derivations.t20_typical_start.symbols import CUMULANTS, MOMENTS, all_words, moment

__all__ = ["FORMULAS", "NOTATION", "STEPS"]

m1, m2, m3 = MOMENTS
length = sp.Symbol("ell", integer=True, nonnegative=True)
COUPLINGS = sp.symbols("gamma_1:7", positive=True)  # alpha_1, beta_1, alpha_2, ...

FORMULAS = {
    "coupling_1_squared": m1,
    "coupling_2_squared": (m2 - m1**2) / m1,
    "coupling_3_squared": (m1 * m3 - m2**2) / (m1 * (m2 - m1**2)),
    "tree_size": (channels + outputs) * (2 ** (length + 1) - 1),
}

NOTATION = {
    length: "longest word the tree holds",
}


def _applied(letter, vector):
    """W (1) or W' (-1) on a combination of nodes {node: coefficient}.

    A node is the path to it from the root: (kind, place) for each chain on the way. A chain of
    kind 1 starts with a right vector, of kind -1 with a left one, and both kinds alternate along
    it; W joins a right vector to its two neighbours on its chain, W' a left one. A node that was
    met on a chain as the one starts a chain as the other.
    """
    found = defaultdict(lambda: sp.S.Zero)
    for node, x in vector.items():
        kind, place = node[-1] if node else (letter, 0)
        before = node[:-1]
        if kind * (-1) ** place != letter:  # the other kind of vector on that chain
            kind, place, before = letter, 0, node
        found[(*before, (kind, place + 1))] += x * COUPLINGS[place]
        if place:
            back = (*before, (kind, place - 1)) if place > 1 else before
            found[back] += x * COUPLINGS[place - 1]
    return found


def _tree_moment(word):
    """What the word does on the root, seen from the root."""
    half = len(word) // 2
    right, left = {(): sp.S.One}, {(): sp.S.One}
    for letter in reversed(word[half:]):
        right = _applied(letter, right)
    for letter in word[:half]:
        left = _applied(-letter, left)
    return sp.expand(sum(left[node] * x for node, x in right.items() if node in left))


def _chain_moments():
    return {m: _tree_moment((-1, 1) * power) for power, m in enumerate(MOMENTS, 1)}


def _chain(coupling_1_squared, coupling_2_squared, coupling_3_squared):
    moments = _chain_moments()
    claims = (coupling_1_squared, coupling_2_squared, coupling_3_squared)
    return [claim.subs(moments) - x**2 for claim, x in zip(claims, COUPLINGS, strict=False)]


def _moments(
    coupling_1_squared, coupling_2_squared, coupling_3_squared, cumulant_1, cumulant_2, cumulant_3
):
    squares = (coupling_1_squared, coupling_2_squared, coupling_3_squared)
    roots = {x: sp.sqrt(square) for x, square in zip(COUPLINGS, squares, strict=False)}
    cumulants = dict(zip(CUMULANTS, (cumulant_1, cumulant_2, cumulant_3), strict=False))
    for word in all_words():
        yield _tree_moment(word).subs(roots) - moment(word).subs(cumulants)


def _size(tree_size):
    nodes, newest = {()}, {()}
    for longest in range(5):
        yield tree_size.subs(length, longest) - (channels + outputs) * len(nodes)
        reached = {
            node for x in newest for letter in (1, -1) for node in _applied(letter, {x: sp.S.One})
        }
        newest = reached - nodes
        nodes |= newest


STEPS = (
    Step(
        ("coupling_1_squared", "coupling_2_squared", "coupling_3_squared"),
        "A chain is the Golub-Kahan bidiagonalisation of diag(s) from the uniform vector, "
        "couplings alpha_1, beta_1, alpha_2, ... in turn: (W'W)^p on its first vector has the "
        "moments of s^2.",
        Zero(_chain),
    ),
    Step(
        ("coupling_1_squared", "coupling_2_squared", "coupling_3_squared", "cumulant_1",
         "cumulant_2", "cumulant_3"),
        "The tree: every node lies on one chain as a right vector, where W acts, and on one as a "
        "left vector, where W' acts; met on the one it starts the other afresh. All 126 words of "
        "up to six letters have on it the moments from the free cumulants. Trees of different "
        "roots do not meet, and random directions are orthogonal.",
        Zero(_moments),
    ),
    Step(
        ("tree_size",),
        "From each node two lead further out: the next of the chain it was met on, and the second "
        "of the chain it starts. Words of up to ell letters, ell = 0 to 4.",
        Zero(_size),
    ),
)  # fmt: skip
