"""A derivation: formulas, each established by a step that can be checked by machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import mpmath
import sympy as sp

from derivations.frame.checks import Check

__all__ = ["CheckError", "Derivation", "Step"]


class CheckError(Exception):
    """A step whose check does not hold; the message names the derivation and the step."""


@dataclass(frozen=True)
class Step:
    """Claims (their names), the words that say why they follow, and a check that looks at them.

    Raises
    ------
    TypeError
        If there is no check.
    ValueError
        If there are no words, or the check does not look at every claim of the step.
    """

    claims: tuple[str, ...]
    because: str
    check: Check

    def __post_init__(self) -> None:
        if not isinstance(self.check, Check):
            raise TypeError(
                f"step {self.name} must have a check (Zero, Substitution or Certificate), "
                f"got {self.check!r}"
            )
        if not self.claims or not self.because.strip():
            raise ValueError(f"step {self.name or '?'} must name a claim and say why it follows")
        if unseen := set(self.claims) - set(self.check.needs):
            raise ValueError(
                f"the check of step {self.name} must depend on {sorted(unseen)}: "
                "name them as parameters of its function"
            )

    @property
    def name(self) -> str:
        """The claims of the step in one string."""
        return ", ".join(self.claims)


@dataclass(frozen=True)
class Derivation:
    """A statement with its assumptions, notation, claims, steps and sources.

    Parameters
    ----------
    id, title, assumptions, sources
        What the statement is, what it needs, and where it comes from.
    notation
        Every basic symbol and its meaning.
    shorthand
        Symbols that stand for a claim inside later formulas, by the name of that claim.
    formulas
        The claims by name, as written: in basic symbols and shorthand.
    steps
        In order. Every claim belongs to at least one step.

    Raises
    ------
    ValueError
        If a claim has no step, a check asks for a claim that is not there, or a formula uses a
        symbol that is neither explained nor the shorthand of an earlier claim.
    """

    id: str
    title: str
    assumptions: tuple[str, ...]
    notation: Mapping[sp.Basic, str]
    shorthand: Mapping[sp.Symbol, str]
    formulas: Mapping[str, sp.Basic]
    steps: tuple[Step, ...]
    sources: tuple[str, ...]

    def __post_init__(self) -> None:
        established = {claim for step in self.steps for claim in step.claims}
        if bare := set(self.formulas) - established:
            raise ValueError(f"{self.id}: no step establishes {sorted(bare)}")
        asked = {name for step in self.steps for name in step.check.needs}
        if missing := (asked | set(self.shorthand.values())) - set(self.formulas):
            raise ValueError(f"{self.id}: {sorted(missing)} are not claims")
        known = set(self.notation)
        symbol_of = {claim: symbol for symbol, claim in self.shorthand.items()}
        for name, formula in self.formulas.items():
            if unknown := formula.free_symbols - known:
                raise ValueError(f"{self.id}: {name} uses {sorted(map(str, unknown))} unexplained")
            known |= {symbol_of[name]} if name in symbol_of else set()

    @cached_property
    def claims(self) -> dict[str, sp.Basic]:
        """Every claim written in the basic symbols alone."""
        written: dict[str, sp.Basic] = {}
        for name, formula in self.formulas.items():
            meaning = {s: written[claim] for s, claim in self.shorthand.items() if claim in written}
            written[name] = formula.xreplace(meaning)
        return written

    @cached_property
    def symbols(self) -> dict[str, sp.Basic]:
        """The basic symbols by name."""
        return {str(symbol): symbol for symbol in self.notation}

    def closed(self, expression: sp.Basic) -> sp.Basic:
        """Write an expression in the basic symbols alone."""
        return expression.xreplace({s: self.claims[claim] for s, claim in self.shorthand.items()})

    def evaluate(self, name: str, *, digits: int = 50, **values: float) -> mpmath.mpf:
        """Evaluate a scalar claim with mpmath.

        Values go by the names in ``symbols``; those the claim does not depend on are ignored.
        """
        needed, function = self._function(name)
        if missing := set(needed) - set(values):
            raise ValueError(f"{name} needs values of {needed}, missing {sorted(missing)}")
        if unknown := set(values) - set(self.symbols):
            raise ValueError(f"{self.id} has no symbols {sorted(unknown)}")
        with mpmath.workdps(digits):
            return mpmath.mpf(function(*(mpmath.mpf(values[n]) for n in needed)))

    def _function(self, name: str) -> tuple[list[str], Callable[..., mpmath.mpf]]:
        """What a claim depends on and its value; SymPy takes long to write such a function."""
        if name not in self._functions:
            claim = self.claims[name]
            needed = sorted(map(str, claim.free_symbols))
            symbols = [self.symbols[n] for n in needed]
            self._functions[name] = needed, sp.lambdify(symbols, claim, "mpmath", cse=True)
        return self._functions[name]

    @cached_property
    def _functions(self) -> dict[str, tuple[list[str], Callable[..., mpmath.mpf]]]:
        return {}

    def with_claim(self, name: str, formula: sp.Basic) -> Derivation:
        """Return a copy with another formula for one claim, so that a test can damage it.

        The formula is written like ``formulas[name]``, in the same symbols: one that spells out
        what the shorthand stands for would be refused for its looks and not for its content.
        """
        written = self.formulas[name]
        sizes = {n for a in written.atoms(sp.MatrixSymbol) for x in a.shape for n in x.free_symbols}
        if strange := formula.free_symbols - written.free_symbols - sizes:
            raise ValueError(
                f"a formula for {name} must use the symbols of formulas[{name!r}], "
                f"not {sorted(map(str, strange))}"
            )
        return replace(self, formulas={**self.formulas, name: formula})

    @cached_property
    def outcomes(self) -> tuple[tuple[Step, str], ...]:
        """Every step with what is wrong with it: an empty string if nothing is."""
        return tuple(self._run(self.steps))

    def check(self, claim: str | None = None) -> None:
        """Check all steps, or those whose check looks at one claim.

        Raises
        ------
        CheckError
            At the first step that does not hold, naming it.
        """
        steps = (s for s in self.steps if claim is None or claim in s.check.needs)
        for step, failure in self._run(steps):
            if failure:
                raise CheckError(f"{self.id}, step {step.name}: {failure}")

    def _run(self, steps: Iterable[Step]) -> Iterator[tuple[Step, str]]:
        for step in steps:
            yield step, step.check.failure(self.formulas, self.closed)
