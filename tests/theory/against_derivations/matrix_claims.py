"""Claims in matrices, evaluated with mpmath: what `Derivation.evaluate` is for scalar ones."""

from __future__ import annotations

import operator
from functools import reduce

import mpmath
import numpy as np
import sympy as sp

__all__ = ["evaluated", "furthest"]


def evaluated(claim, values):
    """The claim at the working precision, from arrays and numbers by symbol, sizes among them."""
    if claim in values:
        value = values[claim]
        return mpmath.matrix(value.tolist()) if np.ndim(value) == 2 else mpmath.mpf(value)
    if isinstance(claim, sp.Identity):
        return mpmath.eye(int(values[claim.rows]))
    if isinstance(claim, sp.Rational):
        return mpmath.mpf(claim.p) / claim.q
    parts = [evaluated(part, values) for part in claim.args]
    if isinstance(claim, sp.Transpose):
        return parts[0].T
    if isinstance(claim, sp.Trace):
        return mpmath.fsum(parts[0][i, i] for i in range(parts[0].rows))
    if isinstance(claim, sp.Add | sp.MatAdd):
        return reduce(operator.add, parts)
    if isinstance(claim, sp.Mul | sp.MatMul):
        return reduce(operator.mul, parts)
    if isinstance(claim, sp.Pow | sp.MatPow):
        return parts[0] ** int(claim.exp)
    raise TypeError(f"no rule for {type(claim).__name__}: {claim}")


def furthest(found, wanted, size=None):
    """Largest difference of two matrices, or numbers, over the largest entry of the second."""
    if not isinstance(wanted, mpmath.matrix):
        return abs(mpmath.mpf(float(found)) - wanted) / (abs(wanted) if size is None else size)
    found = found if isinstance(found, mpmath.matrix) else mpmath.matrix(found.tolist())
    gap = found - wanted
    return max(map(abs, gap)) / (max(map(abs, wanted)) if size is None else size)
