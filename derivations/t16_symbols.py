"""The symbols of the recurrent statements T16 to T20 and the families that stand for claims."""

from __future__ import annotations

import sympy as sp
from sympy import MatrixSymbol

from derivations.lag_sums import Member, T, k, l, scalar

__all__ = [
    "NOTATION", "STEPS_TRIED", "C", "E", "F", "N", "O", "S", "U", "V", "W",
    "c", "dU", "dV", "dW", "i", "j", "m", "n", "w",
]  # fmt: skip

N, n, m = sp.symbols("N n m", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True, nonnegative=True)

U, W, V = MatrixSymbol("U", N, n), MatrixSymbol("W", N, N), MatrixSymbol("V", m, N)
dU, dW, dV = MatrixSymbol("dU", N, n), MatrixSymbol("dW", N, N), MatrixSymbol("dV", m, N)
w, c = scalar("w"), scalar("c")

_FAMILIES = {
    name: MatrixSymbol(name, *shape)
    for name, shape in {"S": (m, n), "C": (N, n), "O": (m, N), "F": (m, n), "E": (m, n)}.items()
}


def _family(name):
    return lambda lag: Member(_FAMILIES[name], lag)


# S(k) is S_k, the family itself S.family; in the claims C, O, F and E stand for formulas in k.
S, C, O, F, E = map(_family, "SCOFE")
for _name, _member in zip("SCOFE", (S, C, O, F, E), strict=True):
    _member.family = _FAMILIES[_name]

NOTATION = {
    N: "number of units",
    n: "number of input channels",
    m: "number of outputs",
    T: "number of steps",
    k: "a lag: an input k steps before the end, 0 to T - 1",
    l: "another lag",
    U: "input weights",
    W: "recurrent weights",
    V: "readout weights",
    S.family: "the task: S_k is the response that is wanted at lag k",
    w(k): "w_k, how many times lag k counts in the loss (1 if only the last step is scored)",
}

STEPS_TRIED = (1, 2, 3, 4)
