"""The formulas of the explorer: what is generated, in which order, and how exact in float64."""

from __future__ import annotations

from typing import NamedTuple

import mpmath
import numpy as np
import pytest
import sympy as sp

from derivations import __main__, load
from derivations.frame.javascript import FUNCTIONS, PATH, javascript, program

T6, T21 = load("T6"), load("T21")
FLAT = FUNCTIONS["flat"]
ARGUMENTS = ("d", "r", "c", "sigma", "g", "t")


def test_the_file_of_the_library_is_what_the_derivations_generate():
    assert PATH.read_text(encoding="utf-8") == javascript()


def test_the_command_prints_or_writes_the_same(tmp_path, capsys):
    assert __main__.main(["javascript", "--out", "-"]) == 0
    assert capsys.readouterr().out == javascript()
    assert __main__.main(["javascript", "--out", str(tmp_path / "formulas.js")]) == 0
    assert (tmp_path / "formulas.js").read_text(encoding="utf-8") == javascript()
    assert capsys.readouterr().out == ""


def test_a_file_for_anything_else_is_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        __main__.main(["T6", "--out", "-"])
    assert stopped.value.code == 2
    assert "--out goes with javascript" in capsys.readouterr().err


def test_every_constant_stands_after_those_it_needs():
    lines, outputs = program(FLAT)
    known = set(ARGUMENTS)
    for line in lines:
        assert {str(symbol) for symbol in line.formula.free_symbols} <= known, line.name
        assert line.name not in known
        known.add(line.name)
    assert set(outputs.values()) <= known
    assert set(outputs) == set(FLAT.outputs)


def test_a_claim_is_evaluated_in_its_stable_form():
    forms = {line.name: line.claim for line in program(FLAT)[0]}
    assert forms["Delta_par"] == "parallel_change_stable"
    assert forms["Dtilde"] == "scaled_denominator"
    assert not {"growth_parallel", "denominator", "orthogonal_gap"} & set(forms.values())


def test_what_is_printed_is_javascript():
    text = javascript()
    for line in program(FLAT)[0]:
        assert text.count(f"// {line.id} {line.claim}\n    const {line.name} = ") == 1
    for foreign in ("Not supported", "**2", " expm1(", "tilde{"):
        assert foreign not in text


class State(NamedTuple):
    """Arguments of `flat` by the symbols of T6."""

    d: float
    r: float
    c: float
    sigma: float
    g: float
    t: float


def states():
    """Corners of the explorer's ranges, both sides of every switch of forms, and random states."""
    found = [
        State(d, r, c, sigma, g, t)
        for d, r, c in ((2.0, 1.0, 1e-12), (1e4, 1.0, 0.5), (1e4, 9999.5, 1.0 - 1e-9), (7, 7, 1.0))
        for sigma in (1e-2, 1.0, 1e2)
        for g in (1e-2, 1.0, 1e2)
        for t in (1e-4, 1.0, 1e6, np.inf)
    ]
    for sigma in (1e-2, 0.5, 1.5, 30.0):
        # in units of 1/rho and of 1/(2 kappa), g = r = 1
        half = sigma**2 / 2
        kappa = np.hypot(1.0, half)
        for unit in (kappa + half, 2 * kappa):
            found += [State(50.0, 1.0, 0.3, sigma, 1.0, x / unit) for x in (0.99, 1.01, 1e-3, 20)]
    for theta in (0.499, 0.501):
        sigma = float(np.sqrt(2 * theta / np.sqrt(1 - theta**2)))
        found += [State(50.0, 1.0, c, sigma, 1.0, t) for c in (1e-6, 0.9) for t in (0.5, 3.0, 40.0)]
    rng = np.random.default_rng(7)
    for _ in range(150):
        d = 10 ** rng.uniform(np.log10(2), 4)
        c = rng.uniform() if rng.uniform() < 0.5 else 10 ** rng.uniform(-12, 0)
        sigma, g = 10 ** rng.uniform(-2, 2, 2)
        found.append(State(d, d ** rng.uniform(), c, sigma, g, 10 ** rng.uniform(-4, 6)))
    return found


def evaluated(points):
    """The program in float64, constant by constant, as a browser runs it."""
    lines, outputs = program(FLAT)
    values = {name: np.array([p[k] for p in points], float) for k, name in enumerate(ARGUMENTS)}
    with np.errstate(all="ignore"):  # forms that the state does not ask for may overflow
        for line in lines:
            symbols = sorted(line.formula.free_symbols, key=str)
            function = sp.lambdify(symbols, line.formula, "numpy")
            values[line.name] = function(*(values[str(symbol)] for symbol in symbols))
    return values | {name: values[value] for name, value in outputs.items()}


def exact(point):
    """The same from the claims as first derived, with digits enough for all that they cancel."""
    given = {name: value for name, value in point._asdict().items() if name != "t"}
    end = "_final" if np.isinf(point.t) else ""
    parts = {}
    if not end:
        given["t"] = point.t

    def claim(name):
        return T6.evaluate(name, digits=150, **given)

    with mpmath.workdps(150):
        if end:
            state = {"mu": claim("mu"), "alpha": claim("alpha")}
        else:
            names = {"w_par": "parallel", "w_perp": "orthogonal", "a": "readout"}
            state = {symbol: claim(f"active_{name}") for symbol, name in names.items()}
            # what the measures are made of: where it is small beside other parts, they do not tell
            parts = {
                "Delta_par": claim("parallel_change"),
                "Delta_perp": claim("orthogonal_change"),
                "e_par": claim("residual_parallel"),
                "e_perp": claim("residual_orthogonal"),
            } | state
        state |= {"s": claim("start_singular_value"), "r": point.r, "d": point.d}
        return parts | {
            "weight_change": mpmath.sqrt(claim(f"weight_change_squared{end}")),
            "weight_change_first": mpmath.sqrt(claim(f"weight_change_1_squared{end}")),
            "weight_change_readout": mpmath.sqrt(claim(f"weight_change_2_squared{end}")),
            "representation_alignment": claim(f"representation_alignment{end}"),
            "kernel_alignment": claim(f"kernel_alignment{end}"),
            "target_alignment": T21.evaluate(f"target_alignment{end}", digits=150, **state),
            "loss": mpmath.mpf(0) if end else claim("loss_positive"),
        }


def test_float64_keeps_twelve_digits_of_every_measure():
    points = states()
    found = evaluated(points)
    for k, point in enumerate(points):
        for name, wanted in exact(point).items():
            # Where float64 has left its range, as a loss late in training, it has nothing to keep.
            scale = max(abs(wanted), mpmath.mpf("1e-290"))
            error = abs(mpmath.mpf(float(found[name][k])) - wanted) / scale
            assert error < 1e-12, (name, point, float(error))


def test_at_the_start_nothing_has_moved():
    found = evaluated([State(50.0, 3.5, 0.3, 1.2, 0.7, 0.0), State(9.0, 9.0, 1.0, 1e-2, 9.0, 0.0)])
    for name in ("weight_change", "weight_change_first", "weight_change_readout"):
        assert not found[name].any()
    for name in ("representation_alignment", "kernel_alignment"):
        np.testing.assert_allclose(found[name], 1.0, rtol=1e-14)
    np.testing.assert_allclose(found["loss"], [0.7**2 / 2, 9.0**2 / 2], rtol=1e-14)
