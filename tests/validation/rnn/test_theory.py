"""The recurrent theory of trained networks: what it is asked, what is concluded, what fails."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

from validation.rnn import asked, forgetting, structure, theory
from validation.rnn.agreement import agreement
from validation.rnn.experiment import LEGACY
from validation.rnn.tasks import Task
from validation.rnn.theory import SOURCES, Question

QUESTION = Question(sources=("rnn-structure",), factors=(0.25, 0.5), own=(0.5,), most_seeds=4)
STARTS = 6
MEASURES = SOURCES["rnn-structure"].measures


def trained(seed, order):
    """Networks whose measures are in this order of starts, with a little noise."""
    rng = np.random.default_rng(seed)
    return {name: order * 0.1 + 1e-3 * rng.standard_normal(STARTS) for name in MEASURES}


def made_up(said, order):
    """Cases of two tasks; the theory says `said` (factors, starts) of every measure."""
    cases, found = [], []
    for task in ("2AF", "DMS"):
        for index in range(4):
            network = {"task": task, "index": index, "starts": [f"rank:{k}" for k in range(STARTS)]}
            cases.append(asdict(QUESTION) | {"source": "rnn-structure", "network": network})
            part = trained([index, len(task)], order)
            part["random"] = np.repeat(said[..., None], 3, axis=2)
            part["own"] = part["random"][:1]
            known = {f"theory_{name}{kept}" for name in theory._FIRST_LAYER.values()
                     for kept in ("", "_kept")}  # fmt: skip
            known |= {"participation", "stable", "radius"}
            part |= dict.fromkeys(known, order[::-1])
            found.append(part | {"gap": np.array(1e-6)})
    return cases, found


ORDER = np.arange(1.0, 1.0 + STARTS)
SAID = np.array([ORDER[::-1], ORDER * 0.1])  # half the gain is right, a quarter is the other way


def score(result, **wanted):
    (row,) = [row for row in result.rows if wanted.items() <= row.items()]
    return row


def test_what_orders_the_starts_is_told_from_what_does_not():
    result = theory.conclude(*made_up(SAID, ORDER))
    assert result.passed
    json.dumps([dict(result.settings), list(result.findings)], allow_nan=False)
    for task in ("2AF", "DMS"):
        asked = {"task": task, "measure": "kernel_alignment"}
        half = score(result, by="recurrent, random tasks, gain x 0.5", **asked)
        assert (half["means"], half["seeds"]) == (pytest.approx(1.0), pytest.approx(1.0))
        assert half["error"] < 2e-3
        wrong = score(result, by="recurrent, random tasks, gain x 0.25", **asked)
        assert wrong["means"] == pytest.approx(-1.0)
        assert score(result, by="stable rank", **asked)["means"] == pytest.approx(-1.0)
        assert score(result, by="ceiling", **asked)["means"] == pytest.approx(1.0)
    fitted = score(result, task="2AF", measure="kernel_alignment",
                   by="recurrent, random tasks, gain fitted on DMS")  # fmt: skip
    assert fitted["means"] == pytest.approx(1.0)


def test_a_factor_is_fitted_on_the_other_task_alone():
    _, found = made_up(SAID, ORDER)
    arrays = {name: np.stack([part[name] for part in found[:4]]) for name in found[0]}
    assert theory.fitted([arrays], "kernel_alignment") == 1
    turned = arrays | {"kernel_alignment": arrays["kernel_alignment"][:, ::-1]}
    assert theory.fitted([turned], "kernel_alignment") == 0


def test_a_fitted_factor_is_held_against_seeds_that_it_was_not_fitted_on():
    cases, found = made_up(SAID, ORDER)
    for part in found[1::2]:  # seeds 1 and 3 of both tasks are the other way round
        part |= {name: part[name][::-1] for name in MEASURES}
    row = score(theory.conclude(cases, found), task="2AF", measure="kernel_alignment",
                by="recurrent, random tasks, gain fitted on DMS")  # fmt: skip
    assert (row["means"], row["count"]) == (pytest.approx(-1.0), 2)


@pytest.mark.parametrize(
    ("name", "value", "check"), [("gap", 1.0, "flows"), ("random", np.nan, "answers")]
)
def test_what_is_wrong_or_missing_fails(name, value, check):
    cases, found = made_up(SAID, ORDER)
    found[0][name] = np.full_like(found[0][name], value)
    result = theory.conclude(cases, found)
    assert {c.name for c in result.checks if not c.passed} == {check}


def test_a_start_without_an_answer_is_left_out_of_its_order():
    cases, found = made_up(SAID, ORDER)
    for part in found:
        part["random"] = part["random"].copy()
        part["random"][1, 0] = np.nan
    row = score(theory.conclude(cases, found), task="2AF", measure="kernel_alignment",
                by="recurrent, random tasks, gain x 0.5")  # fmt: skip
    assert row["means"] == pytest.approx(1.0)


def test_starts_that_burst_or_are_made_for_the_task_are_not_asked_about():
    (case, *_) = theory.cases(False, 0)
    assert case["source"] == "rnn-rank"
    of_structure = next(c for c in theory.cases(False, 0) if c["source"] == "rnn-structure")
    kept = theory.starts_of(of_structure)
    assert len(kept) == 17
    assert not set(kept) & {*structure.BURSTING, "input_output:1"}
    names = of_structure["network"]["starts"]
    assert all(names[place] == name for name, place in kept.items())


def test_the_task_of_trials_is_what_tells_the_choice():
    # channel 0 at the first step is the choice, channel 1 a constant, channel 2 never used
    inputs = np.zeros((2, 3, 3), np.float32)
    inputs[:, 0, 0] = [1.0, -1.0]
    inputs[:, :, 1] = 1.0
    noise = np.zeros((3, 3), np.float32)
    noise[:, 0] = 0.1
    labels = np.array([[0, 0, 1], [0, 0, 2]], np.int32)
    task = Task("made up", inputs, noise, labels, scored=(2,), decision=2, outputs=3)
    own, used, contrasts = asked.own_task(task, np.random.default_rng(0))
    assert (own.steps, own.channels, own.outputs) == (3, 2, 2)
    np.testing.assert_allclose(contrasts @ np.ones(3), 0.0, atol=1e-12)
    np.testing.assert_allclose(contrasts @ contrasts.T, np.eye(2), atol=1e-12)
    # of the responses, what the first step's choice does to output 1 less output 2
    response = contrasts.T @ own.response @ used.T  # (lag, output, channel)
    step = response[2, :, 0]
    assert step[1] - step[2] == pytest.approx(1.0, abs=0.05)
    assert np.abs(response[:2, :, 0]).max() < 0.05
    assert asked.own_task(task, np.random.default_rng(0), trials=10) is not None


def test_a_task_with_too_many_responses_is_not_asked():
    inputs = np.random.default_rng(0).standard_normal((40, 8, 8)).astype(np.float32)
    labels = np.zeros((40, 8), np.int32)
    noise = np.zeros((8, 8), np.float32)
    task = Task("large", inputs, noise, labels, scored=(7,), decision=7, outputs=10)
    assert asked.own_task(task, np.random.default_rng(0)) is None


def test_networks_that_learned_two_tasks_are_asked_about_two():
    every = [c for c in theory.cases(False, 0) if c["source"] == "rnn-forgetting"]
    assert {theory._course(c["network"]) for c in every} == {"2AF then DMS", "DMS then 2AF"}
    assert not any(LEGACY in c["network"]["task"] for c in theory.cases(False, 0))
    assert set(SOURCES["rnn-forgetting"].measures) <= set(forgetting.MEASURES)


def test_what_the_second_task_does_is_what_a_sequence_does():
    w = 0.3 * np.random.default_rng(1).standard_normal((12, 12)) / np.sqrt(12)
    low = np.outer(w[:, 0], w[0])  # of rank one: thin factors
    for start in (w, low):
        forgotten, moved = asked.two_tasks(
            start, 2, [0, 1], ["forgetting", "weight_change_recurrent"]
        )
        assert forgotten > 0.0
        assert moved > 0.0
    one = asked.one_task(w, 2, [0, 1], ["kernel_alignment"])
    turned = asked.one_task(w, 2, [0, 2], ["kernel_alignment"])
    assert one != turned
    assert asked.gap(w, [0, 1], list(MEASURES.values())) < 1e-3


def test_what_is_the_same_for_all_starts_but_for_rounding_has_no_order():
    values = np.tile(np.arange(5.0), (3, 1))
    same = 0.7 + 1e-13 * values
    assert agreement(same, values).means == 0.0
    assert agreement(same + 1e-6 * values, values).means == pytest.approx(1.0)
    w = np.random.default_rng(4).standard_normal((10, 10)) / np.sqrt(10)
    found = [asked.two_tasks(f * w, 2, [0, 1], ["forgetting"])[0] for f in (0.2, 0.8)]
    assert found[0] == pytest.approx(found[1], rel=1e-8)
