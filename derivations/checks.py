"""The three kinds of evidence a step of a derivation can rest on."""

from __future__ import annotations

import inspect
import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.matrices.expressions.matexpr import MatrixElement, MatrixExpr

from derivations.matrix_words import coefficients, expand_traces

__all__ = [
    "Certificate",
    "Check",
    "Substitution",
    "Zero",
    "factored_roots",
    "hypergeometric_term",
    "remainder",
]


@dataclass(frozen=True)
class Check(ABC):
    """Evidence: a function of claims, named by its parameters, whose value must vanish.

    The parameter ``closed``, if there is one, receives the function that writes an expression
    in the basic symbols alone. The value is a scalar, a matrix, a matrix expression of symbolic
    size, or several of those, listed or yielded.
    """

    function: Callable[..., Any]

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the claims this check looks at."""
        return tuple(n for n in inspect.signature(self.function).parameters if n != "closed")

    def failure(self, formulas: Mapping[str, sp.Basic], closed: Callable[..., Any]) -> str:
        """Return what is wrong, or an empty string."""
        names = inspect.signature(self.function).parameters
        given = {"closed": closed, **formulas}
        return self._verdict(self.function(**{name: given[name] for name in names}))

    @abstractmethod
    def _verdict(self, value: Any) -> str:
        """Return what is wrong with a value that must vanish, or an empty string."""


@dataclass(frozen=True)
class Zero(Check):
    """The value simplifies to zero."""

    def __str__(self) -> str:
        return "difference simplifies to zero"

    def _verdict(self, value: Any) -> str:
        for group in value if isinstance(value, Iterator) else (value,):
            parts = [expand_traces(part) for part in _parts(group)]
            # Points first, so that what is plainly not zero costs no algebra.
            for rest in itertools.chain(map(_sample, parts), map(remainder, parts)):
                if rest != 0:
                    return f"leaves {sp.sstr(rest)[:200]}"
        return ""


@dataclass(frozen=True)
class Substitution(Zero):
    """The claim, put into the equation that defines it, leaves zero."""

    equation: str

    def __str__(self) -> str:
        return f"substituted into {self.equation}; residual simplifies to zero"


@dataclass(frozen=True)
class Certificate(Check):
    """High-precision values at the corners of a box and at seeded random points inside it.

    Evidence, not proof: for what SymPy cannot decide, with the reason said. ``box`` gives each
    symbol its positive range; points are spread evenly in the logarithm. ``tolerance`` is
    absolute, so the value should be free of scale.
    """

    because: str
    box: Mapping[sp.Symbol, tuple[float, float]]
    tolerance: float
    points: int = 20
    seed: int = 0
    digits: ClassVar[int] = 50

    def __str__(self) -> str:
        return (
            f"NUMERICAL, not a proof ({self.because}): below {self.tolerance:g} with "
            f"{self.digits} digits at {self.points} random points and the extremes of "
            + ", ".join(f"{s} in [{low:g}, {high:g}]" for s, (low, high) in self.box.items())
        )

    def _verdict(self, value: Any) -> str:
        symbols = list(self.box)
        with mpmath.workdps(self.digits):
            for part in _parts(value):
                function = sp.lambdify(symbols, part, "mpmath")
                for point in self._places():
                    size = _size(function, point)
                    if not size <= self.tolerance:  # also true for nan
                        where = ", ".join(
                            f"{s} = {mpmath.nstr(x, 5)}"
                            for s, x in zip(symbols, point, strict=True)
                        )
                        return f"is {mpmath.nstr(size, 5)} at {where}"
        return ""

    def _places(self) -> Iterator[list[mpmath.mpf]]:
        generator = random.Random(self.seed)
        for corner in itertools.product(*self.box.values()):
            yield [mpmath.mpf(x) for x in corner]
        for _ in range(self.points):
            yield [
                mpmath.mpf(low) * (mpmath.mpf(high) / low) ** generator.random()
                for low, high in self.box.values()
            ]


def _size(function: Callable[..., Any], point: list[mpmath.mpf]) -> mpmath.mpf:
    try:
        return mpmath.mpf(abs(function(*point)))
    except ZeroDivisionError:
        return mpmath.nan


def remainder(expression: sp.Expr) -> sp.Expr:
    """Return 0 if a scalar expression vanishes identically, else what is left of it."""
    for normal_form in (_expanded, _numerator, sp.simplify):
        expression = normal_form(expression)
        if expression == 0:
            return sp.S.Zero
    return expression


def _expanded(expression: sp.Expr) -> sp.Expr:
    # Twice, because products of equal radicals only meet after the first pass.
    inside = expression.replace(_is_root, lambda e: sp.Pow(sp.expand(e.base), e.exp))
    return sp.expand(sp.expand(inside))


def _is_root(expression: sp.Basic) -> bool:
    return expression.is_Pow and expression.exp.is_Rational and not expression.exp.is_Integer


_factor = cache(sp.factor)  # the same few stand under the roots of every part and every check


def factored_roots(expression: sp.Expr, t: sp.Symbol) -> sp.Expr:
    """Factor what stands under every root that does not move with `t`."""
    return expression.replace(
        lambda e: _is_root(e) and not e.base.has(t),
        lambda e: sp.Pow(_factor(e.base), e.exp),
    )


def hypergeometric_term(expression: sp.Expr, index: sp.Symbol) -> sp.Expr:
    """Put term `index` of its series, by definition, for every hypergeometric function."""

    def term(upper: sp.Tuple, lower: sp.Tuple, argument: sp.Expr) -> sp.Expr:
        ratio = sp.Mul(*(sp.rf(i, index) for i in upper)) / sp.Mul(
            *(sp.rf(i, index) for i in lower)
        )
        return (ratio / sp.rf(1, index)).rewrite(sp.gamma) * argument**index

    return expression.replace(sp.hyper, term)


def _numerator(expression: sp.Expr) -> sp.Expr:
    return _expanded(sp.fraction(sp.together(expression))[0])


def _sample(expression: sp.Expr) -> sp.Expr:
    """Evaluate at one random point; return 0 if the value is within rounding or there is none."""
    if expression.has(AppliedUndef, sp.Derivative, sp.Sum, MatrixElement):
        return sp.S.Zero
    generator = random.Random(1)
    symbols = sorted(expression.free_symbols, key=str)
    point = {s: sp.Float(generator.uniform(0.2, 0.9), 40) for s in symbols}
    value = expression.xreplace(point).evalf(30)
    return value if value.is_number and abs(value) > 1e-15 else sp.S.Zero


def _parts(value: Any) -> Iterator[sp.Expr]:
    if isinstance(value, list | tuple | Iterator):
        for item in value:
            yield from _parts(item)
    elif isinstance(value, sp.MatrixBase):  # explicit; an immutable one is a MatrixExpr as well
        yield from value
    elif isinstance(value, MatrixExpr):
        yield from coefficients(value)
    else:
        yield sp.sympify(value)
