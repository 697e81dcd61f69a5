"""The small Gram matrices and kernel blocks of T17, now and at the start."""

from __future__ import annotations

from sympy import MatrixSymbol

from derivations.lag_sums import Member, T, k, l
from derivations.t16_symbols import m, n

__all__ = [
    "DRIVEN",
    "DRIVEN_0",
    "K0",
    "KERNEL",
    "KERNEL_0",
    "LAGS",
    "READ",
    "READ_0",
    "Gc",
    "Gc0",
    "Go",
    "Go0",
    "K",
]  # fmt: skip

DRIVEN, READ = MatrixSymbol("G^c", n, n), MatrixSymbol("G^o", m, m)
DRIVEN_0, READ_0 = MatrixSymbol("G^c0", n, n), MatrixSymbol("G^o0", m, m)
KERNEL, KERNEL_0 = MatrixSymbol("K", m * n, m * n), MatrixSymbol("K^0", m * n, m * n)


def Gc(first, second):
    return Member(DRIVEN, first, second)


def Go(first, second):
    return Member(READ, first, second)


def Gc0(first, second):
    return Member(DRIVEN_0, first, second)


def Go0(first, second):
    return Member(READ_0, first, second)


def K(first, second):
    return Member(KERNEL, first, second)


def K0(first, second):
    return Member(KERNEL_0, first, second)


LAGS = ((k, 0, T - 1), (l, 0, T - 1))
