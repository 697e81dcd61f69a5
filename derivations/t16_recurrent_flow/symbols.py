"""The symbols of the recurrent statements T16 to T20 and the families that stand for claims."""

from __future__ import annotations

import sympy as sp
from sympy import MatrixSymbol

from derivations.frame.lag_sums import Family, T, k, l, scalar

__all__ = [
    "NOTATION", "STEPS_TRIED", "C", "E", "F", "N", "O", "S", "U", "V", "W",
    "c", "dU", "dV", "dW", "i", "j", "m", "n", "w",
]  # fmt: skip

N, n, m = sp.symbols("N n m", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True, nonnegative=True)

U, W, V = MatrixSymbol("U", N, n), MatrixSymbol("W", N, N), MatrixSymbol("V", m, N)
dU, dW, dV = MatrixSymbol("dU", N, n), MatrixSymbol("dW", N, N), MatrixSymbol("dV", m, N)
w, c = scalar("w"), scalar("c")

# The task and, standing for claims in k, what T16 makes of the weights.
S, C, O = Family("S", m, n), Family("C", N, n), Family("O", m, N)
F, E = Family("F", m, n), Family("E", m, n)

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
    S.symbol: "the task: S_k is the response that is wanted at lag k",
    w(k): "w_k, how many times lag k counts in the loss (1 if only the last step is scored)",
}

STEPS_TRIED = (1, 2, 3, 4)
