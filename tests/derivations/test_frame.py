"""The frame: what it refuses to build, what its checks decide, how a derivation is read."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy as sp

import derivations
from derivations.frame.checks import Certificate, Substitution, Zero, remainder
from derivations.frame.derivation import CheckError, Derivation, Step
from derivations.frame.matrix_words import coefficients, entries, expand_traces, orthonormal
from derivations.frame.matrix_words import rate_of_change as rate
from derivations.frame.render import render

x, y, growth = sp.symbols("x y growth", positive=True)


def small(**changes):
    """A derivation of two claims: e^(xy), and its square written with the shorthand."""
    parts = {
        "id": "T0",
        "title": "Growth",
        "assumptions": ("x_0 > 0 and y <= 1.",),
        "notation": {x: "rate", y: "time"},
        "shorthand": {growth: "growth"},
        "formulas": {"growth": sp.exp(x * y), "square": growth**2},
        "steps": (
            Step(
                ("growth",),
                "It solves the equation.",
                Substitution(
                    lambda growth: [growth.diff(y) - x * growth, growth.subs(y, 0) - 1],
                    equation="u' = x u, u(0) = 1",
                ),
            ),
            Step(
                ("square",),
                "Twice the exponent.",
                Zero(lambda closed, square: closed(square) - sp.exp(2 * x * y)),
            ),
        ),
        "sources": ("Any textbook.",),
    }
    return Derivation(**(parts | changes))


def test_a_sound_derivation_passes():
    derivation = small()
    derivation.check()
    assert [failure for _, failure in derivation.outcomes] == ["", ""]


@pytest.mark.parametrize("check", [None, "obvious", lambda growth: 0])
def test_a_step_without_check_is_refused(check):
    with pytest.raises(TypeError, match=r"step growth must have a check"):
        Step(("growth",), "Obviously.", check)


def test_a_step_without_words_is_refused():
    with pytest.raises(ValueError, match=r"say why"):
        Step(("growth",), "  ", Zero(lambda growth: 0))


def test_a_check_that_does_not_look_at_its_claim_is_refused():
    with pytest.raises(ValueError, match=r"must depend on \['square'\]"):
        Step(("growth", "square"), "Both.", Zero(lambda growth: 0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"formulas": {"growth": sp.exp(x * y), "square": growth**2, "spare": x}}, "no step"),
        ({"formulas": {"growth": sp.exp(x * y)}}, r"\['square'\] are not claims"),
        ({"notation": {x: "rate"}}, r"growth uses \['y'\] unexplained"),
        (
            {"formulas": {"square": growth**2, "growth": sp.exp(x * y)}},
            r"square uses \['growth'\] unexplained",
        ),
        ({"shorthand": {growth: "growing"}}, r"\['growing'\] are not claims"),
    ],
)
def test_an_incomplete_derivation_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_a_damaged_claim_fails_and_names_the_step():
    damaged = small().with_claim("growth", sp.exp(2 * x * y))
    with pytest.raises(CheckError, match=r"T0, step growth: leaves"):
        damaged.check()
    with pytest.raises(CheckError, match=r"T0, step square: leaves"):
        damaged.check("square")
    assert [bool(failure) for _, failure in damaged.outcomes] == [True, True]
    small().check()


def test_a_replaced_claim_is_written_in_the_same_symbols():
    with pytest.raises(ValueError, match=r"must use the symbols of formulas\['square'\]"):
        small().with_claim("square", sp.exp(2 * x * y))


def test_claims_are_closed_and_evaluate_at_high_precision():
    derivation = small()
    assert derivation.claims["square"] == sp.exp(x * y) ** 2
    value = derivation.evaluate("square", digits=60, x=2, y=mpmath.mpf("0.5"))
    with mpmath.workdps(60):
        assert abs(value - mpmath.e**2) < mpmath.mpf("1e-57")
    with pytest.raises(ValueError, match=r"needs values of \['x', 'y'\], missing \['y'\]"):
        derivation.evaluate("square", x=2)
    with pytest.raises(ValueError, match=r"T0 has no symbols \['time'\]"):
        derivation.evaluate("square", x=2, y=1, time=3)


def certificate(function, tolerance=1e-40):
    box = {x: (1e-6, 1e6), y: (1.0, 2.0)}
    return Certificate(function, because="no closed form", box=box, tolerance=tolerance)


def test_a_certificate_says_that_it_is_numerical():
    text = str(certificate(lambda: x))
    assert text.startswith("NUMERICAL, not a proof (no closed form)")
    assert "1e-40 with 50 digits at 20 random points" in text
    assert "x in [1e-06, 1e+06]" in text


@pytest.mark.parametrize(
    ("value", "failure"),
    [
        (sp.log(x * y) - sp.log(x) - sp.log(y), ""),
        ([x - x, sp.log(x * y) - sp.log(x)], r"is 0\.69315 at x = 1\.0e-6, y = 2\.0"),
        (sp.Max(0, x - 10**6 + 1), r"is 1\.0 at x = 1\.0e\+6, y = 1\.0"),  # at one corner only
        (sp.log(y - 1), r"is \+inf at x = 1\.0e-6, y = 1\.0"),
        (x / (y - 1), r"is nan at x = 1\.0e-6, y = 1\.0"),
    ],
)
def test_certificates_decide(value, failure):
    assert re.fullmatch(failure, certificate(lambda: value).failure({}, None))


def test_certificates_look_at_random_points_too():
    # Zero at all corners of the box, so only a point inside it can tell.
    bump = (x - 1e-6) * (x - 10**6)
    first, again = (certificate(lambda: bump, 1e-3).failure({}, None) for _ in range(2))
    assert first.startswith("is ")
    assert first == again


@pytest.mark.parametrize(
    "expression",
    [
        (x + y) ** 3 - x**3 - 3 * x**2 * y - 3 * x * y**2 - y**3,
        sp.sqrt(x * (x + y)) * y - sp.sqrt(x**2 * y**2 + x * y**3),
        1 / (x + y) - (x - y) / (x**2 - y**2),
        sp.cosh(x) ** 2 - sp.sinh(x) ** 2 - 1,
    ],
)
def test_identities_leave_nothing(expression):
    assert remainder(expression) == 0
    assert remainder(expression + sp.Rational(1, 10**9) * x) != 0


n, p = sp.symbols("n p", integer=True, positive=True)
A, B = sp.MatrixSymbol("A", n, p), sp.MatrixSymbol("B", n, p)
U, V = sp.MatrixSymbol("U", n, p - 1), sp.MatrixSymbol("V", n, 1)


def test_matrix_words_of_any_size():
    assert coefficients((A + B) * (A - B).T - A * A.T + A * B.T - B * A.T + B * B.T) == ()
    assert coefficients(A.T * B - B.T * A) != ()  # true only under a trace
    assert expand_traces(sp.Trace(A.T * B) - sp.Trace(A * B.T)) == 0
    assert expand_traces(sp.Trace(A * A.T * B * B.T) - sp.Trace(A * B.T * B * A.T)) != 0
    assert expand_traces(sp.Trace(sp.Identity(n))) == n


def test_orthonormal_columns():
    relations = orthonormal(U, V)
    assert expand_traces(sp.Trace(U * U.T), relations) == p - 1
    assert expand_traces(sp.Trace(V * V.T), relations) == 1
    assert expand_traces(sp.Trace(U * V.T * V * U.T), relations) == p - 1
    assert expand_traces(sp.Trace(U * U.T * V * V.T), relations) == 0
    assert coefficients(U.T * (V * V.T), relations) == ()
    assert coefficients(V * V.T, relations) == (1,)  # a projector, not the identity


def test_words_and_rates_agree_with_numbers():
    # A' = B and B' = A for a polynomial with a power, a transpose and a trace, by differences.
    sizes = {n: 2, p: 3}
    polynomial = (A * B.T) ** 2 + sp.Trace(A.T * B) * (B * A.T)
    moved = rate(polynomial, {A: B, B: A})
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 2, 3))

    def value(expression, a, b):
        names = {
            f"{m}[{i},{j}]": w[i, j]
            for m, w in zip("AB", (a, b), strict=True)
            for i in range(2)
            for j in range(3)
        }
        return np.array(entries(expression, sizes).subs(names), dtype=float)

    step = 1e-5
    difference = (
        value(polynomial, first + step * second, second + step * first)
        - value(polynomial, first - step * second, second - step * first)
    ) / (2 * step)
    np.testing.assert_allclose(value(moved, first, second), difference, rtol=1e-8, atol=1e-8)


def test_what_has_no_rule_is_refused():
    with pytest.raises(TypeError, match=r"no rule to differentiate"):
        rate(sp.Inverse(A * A.T), {A: B})
    with pytest.raises(TypeError, match=r"not a sum of products"):
        coefficients(sp.Inverse(A * A.T))


def test_text_shows_formulas_words_checks_and_failures():
    text = render(small())
    for piece in ("T0  Growth", "x_0 > 0", "growth =", "It solves the equation.", "textbook"):
        assert piece in text
    assert text.count("passed") == 2
    assert "substituted into u' = x u, u(0) = 1; residual simplifies to zero: passed" in text
    damaged = render(small().with_claim("growth", sp.exp(2 * x * y)))
    assert damaged.count("FAILED: leaves") == 2


def test_latex_escapes_words_and_keeps_formulas():
    text = render(small(), latex=True)
    assert r"x\_0 $>$ 0 and y $\le$ 1." in text
    assert r"\[ \mathrm{growth} = growth = e^{x y} \]" in text
    assert text.count(r"\begin{") == text.count(r"\end{")


def test_no_derivation_imports_the_library():
    folder = Path(derivations.__file__).parent
    imported = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add((node.module or "").split(".")[0])
    assert "sympy" in imported
    assert "richlazy" not in imported


@pytest.mark.parametrize("name", derivations.MODULES)
def test_no_two_symbols_of_a_derivation_have_one_name(name):
    derivation = derivations.load(name)
    names = [str(symbol) for symbol in (*derivation.notation, *derivation.shorthand)]
    assert len(names) == len(set(names))


def test_the_examples_in_the_readme_run():
    readme = Path(derivations.__file__).parent / "README.md"
    outcome = doctest.testfile(str(readme), module_relative=False, encoding="utf-8")
    assert outcome.attempted >= 5
    assert outcome.failed == 0
