"""The study of linear recurrent networks: what it measures, and what makes it fail."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from richlazy import recurrent as rnn
from richlazy.errors import ConvergenceError
from richlazy.recurrent.measures import Measures
from validation import recurrent
from validation.recurrent import large, laws, runs, theory
from validation.recurrent.runs import CELLS, SPECTRA
from validation.recurrent.runs import cases as cases_of
from validation.simulation.recurrent import PARTS, Weights, descend, halved, sharpness

TINY = replace(
    recurrent.QUICK,
    cells=("small", "low rank", "modes", "coloured inputs", "fixed inputs"),
    draws=24,
    sizes=(24, 48),
    expected=60,
    large=("half rank",),
    large_units=60,
)
CASES = cases_of(TINY, 0)
SMALL = [case for case in CASES if case.get("cell") == "small"]


@pytest.fixture(scope="module")
def found():
    return [recurrent.simulate(case) for case in CASES]


@pytest.fixture(scope="module")
def seen(found):
    return theory.compared(CASES, found)


@pytest.fixture(scope="module")
def said():
    """What `expect` says, by its arguments: the damaged theories start from it."""
    return {}


@pytest.fixture
def remembered(monkeypatch, said):
    whole = rnn.expect

    def once(values, *sizes, **asked):
        key = (len(values), *sizes, *sorted(asked.items()))
        if key not in said:
            said[key] = whole(values, *sizes, **asked)
        return said[key]

    monkeypatch.setattr(rnn, "expect", once)


def failed(seen, averaged=(), drawn=(), judged=()):
    names = set()
    for part, of_it in (
        (averaged, ("typical", "law", "steps")), (drawn, ("large",)), (judged, ("domain",)),
    ):  # fmt: skip
        names |= set() if part else set(of_it)
    checks = recurrent.compare(TINY, seen, averaged, drawn, judged)[1]
    return {check.name for check in checks if not check.passed} - names


def of_small(found):
    """The one cell beside the theory as it is now."""
    return theory.compared(SMALL, [found[CASES.index(SMALL[0])]])


def test_the_study_passes_and_nothing_is_vacuous(found, remembered):
    result = recurrent.conclude(CASES, found)
    assert [check.name for check in result.checks if not check.passed] == []
    counts = {check.name: check.count for check in result.checks}
    cells, runs, times = len(TINY.cells), TINY.runs, len(TINY.times)
    assert counts["measures"] == cells * 8 * runs * times
    assert counts["measures order"] == cells * 8 - 1  # inputs that are fixed
    units = {name: CELLS[name] for name in TINY.cells}
    weights = sum(c.units * (c.units + c.channels + c.outputs) for c in units.values())
    assert counts["weights"] == runs * weights
    assert counts["weights order"] == cells * 3 - 1
    assert counts["conservation"] == (cells - 1) * runs * (times + 1)
    assert counts["conservation order"] == cells - 1
    means = len(SPECTRA) * len(TINY.tasks) * 8 * len(TINY.ends)
    assert counts["typical"] == counts["law"] == means
    assert counts["steps"] == 2 * means
    assert counts["large"] == len(TINY.large) * 8 * 2
    assert counts["domain"] > 0
    more = counts["large"] + 2 * len(TINY.laws)
    assert len(result.rows) == cells * 8 * times + 2 * means + more
    assert len({tuple(row) for row in result.rows}) == 1
    assert len(result.findings) == 1 + len(SPECTRA) + 2
    json.dumps([dict(result.settings), list(result.rows), CASES], allow_nan=False)


def test_every_route_is_held(seen):
    methods = [one.methods[0] for one in seen]
    assert [name[: name.index("(") + 4] for name in methods] == [
        "flow (T16",
        "reduced (T18",
        "modes (T19",
        "flow (T16",
        "flow (T16",
    ]


def test_everything_moves(seen):
    """So that no distance is small because nothing happens."""
    for one in seen:
        for name in one.cell.trained:
            i = Measures._fields.index(f"weight_change_{name}")
            assert np.all(one.measures.theory[i] > 0.01)
        assert np.all(one.measures.theory[Measures._fields.index("kernel_alignment")] < 0.999)


def test_the_full_study_is_larger():
    cases = recurrent.STUDY.cases(False, 0)
    kinds = [case["kind"] for case in cases]
    assert kinds.count("cell") == len(CELLS)
    assert kinds.count("mean") == 3 * len(SPECTRA) * 2
    assert kinds.count("large") == 5 * 3 * 2
    assert kinds.count("law") >= 60
    json.dumps(cases)
    kinds = CELLS.values()
    assert min(c.units for c in kinds if c.rank is None) == 8
    assert {c.steps for c in kinds} == {2, 3, 4, 5, 6}
    assert any(c.weights for c in kinds)
    assert {c.leak < 1 for c in kinds} == {c.coloured for c in kinds} == {True, False}


def test_a_seed_changes_the_runs(found):
    again = recurrent.simulate(SMALL[0])
    for name, values in again.items():
        np.testing.assert_array_equal(values, found[CASES.index(SMALL[0])][name])
    other = recurrent.simulate(cases_of(TINY, 1)[CASES.index(SMALL[0])])
    assert not np.allclose(other["measures"], again["measures"])


def test_both_sizes_learn_the_same_tasks(monkeypatch):
    given = []

    def kept(start, response, **asked):
        given.append((start, response))
        return halved(start, response, **asked)

    monkeypatch.setattr(runs, "halved", kept)
    for case in CASES:
        if case["kind"] == "mean" and case["spectrum"] == "half rank":
            recurrent.simulate(dict(case) | {"ends": (0,)})
    (small, tasks), (large, others) = given
    np.testing.assert_array_equal(tasks, others)
    for start, units in ((small, TINY.sizes[0]), (large, TINY.sizes[1])):
        values = np.linalg.svd(start.recurrent, compute_uv=False)
        flat = np.where(np.arange(units) < units // 2, 0.6 * np.sqrt(2.0), 0.0)
        np.testing.assert_allclose(values, np.broadcast_to(flat, values.shape), atol=1e-13)


@pytest.mark.parametrize("measure", Measures._fields)
def test_every_measure_is_tested(found, monkeypatch, measure):
    whole = rnn.Solution.measures

    def damaged(self, t):
        values = whole(self, t)
        # a loss that is wrong by a factor at the start as well would be wrong in its scale alone
        late = np.where(np.asarray(t) > 0, 1.001, 1.0)
        return values._replace(**{measure: late * getattr(values, measure)})

    monkeypatch.setattr(rnn.Solution, "measures", damaged)
    assert failed(of_small(found)) == {"measures", "measures order"}


@pytest.mark.parametrize("name", PARTS)
def test_every_matrix_is_tested(found, name):
    (one,) = of_small(found)
    part = one.weights[name]
    one.weights[name] = replace(part, theory=1.00001 * part.theory)
    assert "weights" in failed([one])


def test_what_is_not_conserved_fails(found, monkeypatch):
    whole = rnn.Network.conserved
    monkeypatch.setattr(rnn.Network, "conserved", lambda self: 1.001 * whole(self))
    assert failed(of_small(found)) == {"conservation", "conservation order"}


def test_a_drift_of_the_theory_fails(found, monkeypatch):
    monkeypatch.setattr(rnn.Solution, "drift", lambda self, t: 1e-5)
    assert failed(of_small(found)) == {"conservation"}


def test_a_theory_of_nan_fails(found, monkeypatch):
    whole = rnn.Solution.measures
    monkeypatch.setattr(
        rnn.Solution, "measures", lambda self, t: Measures(*(np.nan * x for x in whole(self, t)))
    )
    assert failed(of_small(found)) == {"measures", "measures order"}


def test_steps_that_were_not_halved_fail(found):
    part = found[CASES.index(SMALL[0])]
    stuck = part | {
        name: np.broadcast_to(part[name][:1], part[name].shape) for name in ("measures", *PARTS)
    }
    assert failed(theory.compared(SMALL, [stuck])) == {
        f"{name}{kind}"
        for name in ("measures", "weights", "conservation")
        for kind in ("", " order")
    }


@pytest.mark.parametrize("measure", Measures._fields)
@pytest.mark.parametrize("method", theory.METHODS)
def test_every_mean_is_tested(found, seen, remembered, monkeypatch, measure, method):
    known = rnn.expect

    def damaged(*arguments, **asked):
        right = known(*arguments, **asked)
        if asked["method"] != method:
            return right
        value = getattr(right, measure)
        return replace(right, **{measure: replace(value, mean=value.mean + 15.0 * error(value))})

    def error(value):
        """Of a mean of the theory and of as many networks as the study has, roughly."""
        return value.sd / np.sqrt(TINY.draws)

    monkeypatch.setattr(rnn, "expect", damaged)
    assert failed(seen, theory.means(TINY, CASES, found)) == {method}


def test_steps_that_are_too_large_for_a_mean_are_seen(found, seen, remembered):
    coarse = [
        part | {"measures": part["measures"] * np.array([1.0, 1.0, 1.1])[:, None, None, None]}
        if case["kind"] == "mean"
        else part
        for case, part in zip(CASES, found, strict=True)
    ]
    assert "steps" in failed(seen, theory.means(TINY, CASES, coarse))


@pytest.mark.parametrize("measure", Measures._fields)
def test_every_measure_of_large_networks_is_tested(found, seen, measure):
    (case,) = (case for case in CASES if case["kind"] == "large")
    part = found[CASES.index(case)]["measures"]
    (right,) = large.compared([case], [{"measures": part}])
    assert failed(seen, drawn=[right]) == set()
    i = Measures._fields.index(measure)
    worse = part.copy()
    worse[i] += 15.0 * np.hypot(right.error, right.allowed)[i]
    assert failed(seen, drawn=large.compared([case], [{"measures": worse}])) == {"large"}


def test_a_law_that_is_wrong_about_itself_fails(found, seen):
    judged = laws.compared(CASES, found)
    assert {one.holds for one in judged} == {True, False}
    assert failed(seen, judged=judged) == set()
    assert failed(seen, judged=[one._replace(holds=True) for one in judged]) == {"domain"}
    assert failed(seen, judged=[one._replace(holds=False) for one in judged]) == {"domain"}


def batch(rng, leak):
    start = Weights(
        rng.standard_normal((2, 5, 2)) / 2,
        rng.standard_normal((2, 5, 5)) / 3,
        rng.standard_normal((2, 2, 5)) / 2,
    )
    root = rng.standard_normal((6, 9)) / 3
    return start, rng.standard_normal((2, 3, 2, 2)), {"metric": root @ root.T, "leak": leak}


def losses(weights, response, metric, leak):
    """The excess loss of every run, state by state."""
    u, w, v = weights
    found = []
    for k in range(len(u)):
        state = leak * u[k]
        off = []
        for wanted in response[k]:
            off.append(wanted - v[k] @ state)
            state = (1.0 - leak) * state + leak * w[k] @ state
        flat = np.concatenate(off, axis=1)
        found.append(0.5 * np.trace(flat @ metric @ flat.T))
    return np.array(found)


@pytest.mark.parametrize("trained", [PARTS, ("recurrent",), ("inputs", "readout")])
@pytest.mark.parametrize("leak", [1.0, 0.3])
def test_a_step_is_the_gradient_and_what_is_fixed_stays(trained, leak):
    start, response, asked = batch(np.random.default_rng(1), leak)
    eta, h = 1e-3, 1e-5
    run = descend(start, response, step=eta, record=[0, 1], trained=trained, **asked)
    np.testing.assert_allclose(run.measures.loss[:, 0], losses(start, response, **asked))
    for place, name in enumerate(PARTS):
        moved = (run.weights[place][:, 1] - run.weights[place][:, 0]) / eta
        if name not in trained:
            assert not np.any(moved)
            continue
        for index in np.ndindex(start[place].shape[1:]):
            ends = []
            for sign in (1, -1):
                x = start[place].copy()
                x[(slice(None), *index)] += sign * h
                ends.append(losses(start._replace(**{name: x}), response, **asked))
            slope = (ends[1] - ends[0]) / (2 * h)
            np.testing.assert_allclose(moved[(slice(None), *index)], slope, rtol=1e-6, atol=1e-8)


def test_steps_that_are_too_large_are_named():
    start, response, asked = batch(np.random.default_rng(2), 1.0)
    with pytest.raises(ConvergenceError, match=r"diverges at step \d+ of size 50: take a smaller"):
        descend(start, response, step=50.0, record=[100], **asked)


def test_half_the_step_is_taken_twice_as_often():
    start, response, asked = batch(np.random.default_rng(3), 1.0)
    measures, weights = halved(start, response, times=(1, 2), per_unit=40, **asked)
    finest = descend(start, response, step=1 / 160, record=[160, 320], **asked)
    np.testing.assert_array_equal(measures[2], np.stack(finest.measures))
    np.testing.assert_array_equal(weights.recurrent[2], finest.weights.recurrent)


def test_sharpness_is_that_of_the_loss_where_it_is_learned():
    """At no error the Hessian is the Gauss-Newton matrix: descent turns unstable at 2/sharpness."""
    start, _, asked = batch(np.random.default_rng(4), 0.6)
    single = Weights(*(x[:1] for x in start))
    u, w, v = (x[0] for x in single)
    state, lags = 0.6 * u, []
    for _ in range(3):
        lags.append(v @ state)
        state = 0.4 * state + 0.6 * w @ state
    learned = np.stack(lags)[None]
    rng = np.random.default_rng(5)
    near = Weights(*(x + 1e-7 * rng.standard_normal(x.shape) for x in single))
    sharp = sharpness(single, 3, **asked)
    ends = [
        descend(near, learned, step=factor * 2.0 / sharp, record=[0, 300], **asked).measures.loss[0]
        for factor in (0.98, 1.02)
    ]
    assert ends[0][1] < ends[0][0]
    assert ends[1][1] > 100.0 * ends[1][0]
