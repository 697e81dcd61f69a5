"""T3 holds: its closed form is what the two rates do, and its forms and limits agree."""

from __future__ import annotations

import mpmath
import pytest

from derivations.t02_modes import DERIVATION as T2
from derivations.t03_one_mode import DERIVATION as T3

LAYERS = ("first", "readout")


def test_every_step_holds():
    T3.check()


def point(a, b, s, t=None):
    values = {"a_0": a, "b_0": b, "s": s} | ({} if t is None else {"t": t})
    return {name: mpmath.mpf(x) for name, x in values.items()}


def integrated(values):
    """The mode by Taylor series, with the rates of T2 written here."""
    s = values["s"]
    return mpmath.odefun(
        lambda _, w: [w[1] * (s - w[0] * w[1]), w[0] * (s - w[0] * w[1])],
        0,
        [values["a_0"], values["b_0"]],
    )(values["t"])


def relative(left, right):
    return abs(left - right) / max(abs(left), abs(right), mpmath.mpf("1e-300"))


STARTS = [  # a_0, b_0, s, t
    ("0.3", "0.4", "1.1", "1.5"),
    ("1.7", "0.2", "0.6", "0.8"),
    ("0.5", "-0.9", "0.7", "2"),
    ("-1.3", "0.1", "2", "1"),
    ("-0.6", "-0.6", "1.5", "0.7"),
    ("0.8", "-0.8", "0.9", "1.2"),
    ("0", "0.5", "1", "1"),
    ("1.2", "0", "0.4", "1"),
    ("0.7", "1.4", "1e-6", "1"),
]


@pytest.mark.parametrize("start", STARTS)
def test_closed_form_against_a_taylor_series_integrator(start):
    values = point(*start)
    with mpmath.workdps(30):
        for layer, expected in zip(LAYERS, integrated(values), strict=True):
            claimed = T3.evaluate(layer, **values)
            assert abs(claimed - expected) < mpmath.mpf("1e-24"), layer


EXTREMES = [  # a_0, b_0, s
    ("1e-8", "1e-8", "1"),
    ("1e-12", "3", "0.2"),
    ("5", "1e-9", "1e-4"),
    ("1e3", "1e3", "1000000.5"),
    ("1e3", "999.5", "1e-3"),
    ("0.2", "0.2000000001", "7"),
    ("-0.3", "-40", "2"),
    ("0.4", "-0.41", "1"),
    ("-2", "0.7", "3"),
    ("1e-20", "1e20", "1"),
]


@pytest.mark.parametrize("t", ["1e-9", "2"])
@pytest.mark.parametrize("start", EXTREMES)
def test_the_forms_agree(start, t):
    values = point(*start)
    kappa = T3.evaluate("growth_rate", **values)
    values["t"] = mpmath.mpf(t) / kappa

    def claim(name):
        return T3.evaluate(name, digits=300, **values)

    with mpmath.workdps(300):
        a0, b0, s = (values[name] for name in ("a_0", "b_0", "s"))
        a, b = claim("first"), claim("readout")
        pairs = {
            "fast_rate_stable": claim("fast_rate"),
            "slow_rate_stable": claim("slow_rate"),
            "growing_first_negative": claim("growing_first"),
            "growing_readout_negative": claim("growing_readout"),
            "growing_component_factored": claim("growing_component"),
            "linear_first_hyperbolic": claim("linear_first"),
            "linear_readout_hyperbolic": claim("linear_readout"),
            "first_of_sums": a,
            "readout_of_sums": b,
            "error": s - a * b,
            "error_of_sums": s - a * b,
            "product_change": a * b - a0 * b0,
            "gain_of_squares": a**2 - a0**2,
            "change_first": a - a0,
            "change_readout": b - b0,
        }
        if a0 == b0:
            del pairs["growing_component_factored"]  # 0/0
            pairs["balanced_product"] = a * b
        for name, plain in pairs.items():
            assert relative(claim(name), plain) < mpmath.mpf("1e-100"), name
        assert relative(b**2 - a**2, b0**2 - a0**2) < mpmath.mpf("1e-100") or a0 == b0


@pytest.mark.parametrize("start", EXTREMES)
def test_the_end_is_the_limit(start):
    values = point(*start)
    with mpmath.workdps(200):
        values["t"] = 400 / T3.evaluate("growth_rate", **values)

        def claim(name):
            return T3.evaluate(name, digits=600, **values)

        for name in (*LAYERS, "gain_of_squares", "change_first", "change_readout"):
            if abs(claim(name)) > mpmath.mpf("1e-200"):
                assert relative(claim(name), claim(f"final_{name}")) < mpmath.mpf("1e-100"), name
        product = claim("final_first") * claim("final_readout")
        assert relative(product, values["s"]) < mpmath.mpf("1e-100")


@pytest.mark.parametrize("t", ["0", "0.3", "2", "30"])
def test_the_saddle_and_the_balanced_mode(t):
    with mpmath.workdps(50):
        opposed = point("0.7", "-0.7", "1.3", t)
        assert T3.evaluate("growing_component", **opposed) == 0
        for layer, sign in zip(LAYERS, (1, -1), strict=True):
            decayed = sign * T3.evaluate("saddle_first", **opposed)
            assert abs(T3.evaluate(layer, **opposed) - decayed) < mpmath.mpf("1e-45")
        balanced = point("-0.2", "-0.2", "1.3", t)
        product = T3.evaluate("first", **balanced) * T3.evaluate("readout", **balanced)
        assert relative(T3.evaluate("balanced_product", **balanced), product) < 1e-45


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("t", ["0", "0.4", "50"])
def test_without_a_task_the_decay_is_the_limit_of_weak_ones(sign, t):
    with mpmath.workdps(200):
        values = point("0.6", sign * mpmath.mpf("0.6"), "1e-60", t)
        idle = T3.evaluate("idle_first", **values)
        for layer, side in zip(LAYERS, (1, sign), strict=True):
            weak = T3.evaluate(layer, digits=200, **values)
            assert relative(weak, side * idle) < mpmath.mpf("1e-50")


@pytest.mark.parametrize("q", ["1e-6", "0.4", "1e5"])
def test_input_variance_by_the_scaling_of_t2(q):
    with mpmath.workdps(30):
        q, a0, b0, s, t = (mpmath.mpf(x) for x in (q, "0.3", "-0.8", "1.2", "0.9"))
        root = mpmath.sqrt(q)
        a0, b0 = a0 / root, b0 / root
        scaled = [T2.evaluate(f"scaled_{x}", a=a0, b=b0, q=q) for x in LAYERS]
        path = mpmath.odefun(
            lambda _, w: [w[1] * (s - q * w[0] * w[1]), w[0] * (s - q * w[0] * w[1])], 0, [a0, b0]
        )(t)
        for layer, plain in zip(LAYERS, path, strict=True):
            claimed = T3.evaluate(layer, **point(*scaled, s, t)) / root
            assert relative(claimed, plain) < mpmath.mpf("1e-20")
