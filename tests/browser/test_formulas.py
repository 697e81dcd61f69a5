"""The generated formulas in the browser give the library's numbers, and refuse what it refuses."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

import richlazy as rl

pytest.importorskip("selenium")

MEASURES = {
    "weight_change": "weight_change",
    "weight_change_first": "weight_change_input",
    "weight_change_readout": "weight_change_readout",
    "representation_alignment": "representation_alignment",
    "kernel_alignment": "kernel_alignment",
    "target_alignment": "target_alignment",
    "loss": "loss",
}
# Infinity has no place in JSON, through which a state goes: null stands for it.
RUN = """
return arguments[0].map(([inputs, rank, alignment, norm, strength, t]) =>
  richlazyFormulas.flat({inputs, rank, alignment, norm, strength, time: t ?? Infinity}));
"""
ONE = """
try { return richlazyFormulas.flat({...arguments[0], CHANGE}); }
catch (error) { return `${error.name}: ${error.message}`; }
"""


@pytest.fixture(scope="module")
def formulas(driver):
    driver.get("about:blank")
    script = files("richlazy") / "explore" / "formulas.js"
    driver.execute_script(script.read_text(encoding="utf-8"))
    return driver


def states(count):
    """Random states over all that the page lets choose, its ends included."""
    rng = np.random.default_rng(0)
    d = np.floor(10 ** rng.uniform(np.log10(2), 4, count))
    r = d ** rng.uniform(size=count)
    c = np.where(rng.uniform(size=count) < 0.5, rng.uniform(size=count), 10 ** rng.uniform(-12, 0))
    norm, strength = 10 ** rng.uniform(-2, 2, (2, count))
    t = 10 ** rng.uniform(-4, 6, count)
    ends = count // 20
    r[:ends], c[:ends] = d[:ends], 1.0
    c[ends : 2 * ends] = 0.0
    t[::10], t[1::50] = np.inf, 0.0
    return d, r, c, norm, strength, t


def test_a_thousand_random_states_agree_with_the_library(formulas):
    d, r, c, norm, strength, t = states(1000)
    library = rl.low_rank.measures(r, d, alignment=c, norm=norm, strength=strength, t=t)
    rows = np.stack((d, r, c, norm, strength, t), axis=1).tolist()
    sent = [[x if x < np.inf else None for x in row] for row in rows]
    found = formulas.execute_script(RUN, sent)
    for name, field in MEASURES.items():
        wanted = getattr(library, field)
        got = np.array([one[name] for one in found], dtype=float)
        # below the normal numbers of float64 neither side has digits to compare
        error = np.abs(got - wanted) / np.maximum(wanted, 1e-290)
        assert error.max() < 1e-10, (name, rows[int(error.argmax())])


GIVEN = {"inputs": 50, "rank": 5, "alignment": 0.3, "norm": 1, "strength": 1, "time": 2}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("inputs: 0.5", "inputs"),
        ("inputs: undefined", "inputs"),
        ("rank: 0.9", "rank"),
        ("rank: 51", "rank"),
        ("rank: '5'", "rank"),
        ("alignment: -0.1", "alignment"),
        ("alignment: 1.1", "alignment"),
        ("alignment: 1e-31", "alignment"),
        ("rank: 50", "alignment"),
        ("norm: 0", "norm"),
        ("norm: 1e-7", "norm"),
        ("norm: NaN", "norm"),
        ("strength: -1", "strength"),
        ("strength: Infinity", "strength"),
        ("time: -1", "time"),
        ("time: 1e-51", "time"),
        ("time: NaN", "time"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(formulas, change, named):
    said = formulas.execute_script(ONE.replace("CHANGE", change), GIVEN)
    assert said.startswith(f"RangeError: {named} must ")


def test_what_is_in_range_is_not_refused(formulas):
    found = formulas.execute_script(ONE.replace("CHANGE", ""), GIVEN)
    assert 0 < found["kernel_alignment"] < 1
