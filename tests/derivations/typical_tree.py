"""The typical recurrent start as a network: a tree of chains for each root, in plain loops."""

from __future__ import annotations

import numpy as np

from tests.derivations.recurrent_flow import Weights


def tree(chain, longest):
    """W between the nodes of one root: nodes are numbered as they are met."""
    links, numbered, newest = {}, {(): 0}, [()]

    def ends(node, letter):
        """Where a letter leads from a node, and the coupling."""
        kind, place = node[-1] if node else (letter, 0)
        before = node[:-1]
        if kind * (-1) ** place != letter:
            kind, place, before = letter, 0, node
        yield (*before, (kind, place + 1)), chain[place] if place < len(chain) else 0.0
        if place:
            yield (*before, (kind, place - 1)) if place > 1 else before, chain[place - 1]

    for _ in range(longest):
        reached = []
        for node in newest:
            for letter in (1, -1):
                for other, x in ends(node, letter):
                    if other not in numbered and x:
                        numbered[other] = len(numbered)
                        reached.append(other)
                    if x:
                        pair = (other, node) if letter == 1 else (node, other)
                        links[pair] = x
        newest = reached
    matrix = np.zeros((len(numbered),) * 2)
    for (to, come), x in links.items():
        matrix[numbered[to], numbered[come]] = x
    return matrix


def typical(chain, longest, u=1.0, v=1.0):
    """A typical network of one channel and output: a tree for each of the two roots."""
    one = tree(chain, longest)
    size = len(one)
    whole = np.zeros((2 * size, 2 * size))
    whole[:size, :size] = whole[size:, size:] = one
    start, end = np.zeros((2 * size, 1)), np.zeros((1, 2 * size))
    start[0], end[0, size] = u, v
    return Weights(start, whole, end)
