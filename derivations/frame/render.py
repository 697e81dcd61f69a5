"""Derivations as terminal text and as LaTeX."""

from __future__ import annotations

import textwrap

import sympy as sp

from derivations.frame.derivation import Derivation

__all__ = ["render"]

WIDTH = 96


def render(derivation: Derivation, latex: bool = False) -> str:
    """Write a derivation out, each step with its formulas, its words and its checked outcome."""
    return _latex(derivation) if latex else _text(derivation)


def _name(derivation: Derivation, claim: str) -> sp.Symbol | str:
    """Return the symbol that stands for the claim in later formulas, or its name."""
    return next((s for s, stands_for in derivation.shorthand.items() if stands_for == claim), claim)


def _verdict(failure: str) -> str:
    return f"FAILED: {failure}" if failure else "passed"


def _text(derivation: Derivation) -> str:
    heading = f"{derivation.id}  {derivation.title}"
    lines = [heading, "=" * len(heading), "", "Assumptions"]
    lines += [_wrapped(f"- {line}", 2) for line in derivation.assumptions]
    lines += ["", "Notation"]
    lines += [f"  {s!s:6} {_shape(s)}{meaning}" for s, meaning in derivation.notation.items()]
    for number, (step, failure) in enumerate(derivation.outcomes, 1):
        lines += ["", _wrapped(f"{number}. {step.because}", 0), ""]
        for claim in step.claims:
            symbol = _name(derivation, claim)
            label = claim if str(symbol) == claim else f"{claim}, {symbol}"
            lines += [
                f"    {label} =",
                textwrap.indent(sp.pretty(derivation.formulas[claim], num_columns=WIDTH), " " * 8),
                "",
            ]
        lines.append(_wrapped(f"Check: {step.check}: {_verdict(failure)}", 4))
    lines += ["", "Sources"] + [_wrapped(f"- {source}", 2) for source in derivation.sources]
    return "\n".join(lines)


def _shape(symbol: sp.Basic) -> str:
    return f"({symbol.rows} x {symbol.cols}) " if isinstance(symbol, sp.MatrixSymbol) else ""


def _wrapped(line: str, indent: int) -> str:
    return textwrap.fill(
        line,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
    )


def _latex(derivation: Derivation) -> str:
    lines = [rf"\section*{{{derivation.id}. {_escaped(derivation.title)}}}", r"\begin{itemize}"]
    lines += [rf"\item {_escaped(line)}" for line in derivation.assumptions]
    lines += [rf"\item ${sp.latex(s)}$: {_escaped(x)}" for s, x in derivation.notation.items()]
    lines += [r"\end{itemize}", r"\begin{enumerate}"]
    for step, failure in derivation.outcomes:
        lines.append(rf"\item {_escaped(step.because)}")
        for claim in step.claims:
            symbol = _name(derivation, claim)
            left = rf"\mathrm{{{_escaped(claim)}}}"
            if isinstance(symbol, sp.Basic):
                left += f" = {sp.latex(symbol)}"
            lines.append(rf"\[ {left} = {sp.latex(derivation.formulas[claim])} \]")
        lines.append(rf"\emph{{Check: {_escaped(f'{step.check}: {_verdict(failure)}')}.}}")
    lines += [r"\end{enumerate}", r"\begin{itemize}"]
    lines += [rf"\item {_escaped(source)}" for source in derivation.sources]
    return "\n".join([*lines, r"\end{itemize}"])


def _escaped(text: str) -> str:
    for special in "_&%#":
        text = text.replace(special, rf"\{special}")
    for sign, command in _SIGNS.items():
        text = text.replace(sign, command)
    return text


_SIGNS = {"^": r"\^{}", "<=": r"$\le$", "->": r"$\to$", "<": "$<$", ">": "$>$"}
