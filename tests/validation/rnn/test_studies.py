"""The recurrent studies: what they run, what they conclude, and what makes them fail."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

import jax

from validation import RECURRENT, load
from validation.rnn import forgetting, kept, rank, structure, summary
from validation.rnn.experiment import THEORY, cases, ranks_of, training_of
from validation.rnn.measures import ALONG, MEASURES, RANKS, watched
from validation.rnn.starts import KEPT, STARTS
from validation.rnn.tasks import TASKS

WINDOWS = 10


def made_up(grid, trend):
    """Cases of a grid, with measures that follow `trend` (starts,) and differ a little by seed."""
    every, found = cases(grid, 0), []
    for case in every:
        rng = np.random.default_rng([case["index"], sorted(grid.tasks).index(case["task"])])
        noise = 1.0 + 0.02 * rng.standard_normal(len(trend))
        level = np.clip(0.5 * trend / np.max(trend) * noise, 0.01, 1.0)
        loss = np.geomspace(1.0, 0.01, WINDOWS)[None] * noise[:, None]
        part = dict.fromkeys(MEASURES, level)
        part |= {f"{kind}_{when}": level for kind in RANKS for when in ("before", "after")}
        part |= {f"theory_{name}{kept}": level for name in THEORY for kept in ("", "_kept")}
        part |= {"final_loss": loss[:, -1], "path_length": 2.0 * level}
        part |= {"loss": loss, "change": np.cumsum(loss, axis=1), "path": loss}
        times = np.linspace(0.0, 1.0, len(watched(training_of(case))))
        part |= {f"{name}_along": 1.0 - (1.0 - level)[:, None] * times for name in ALONG}
        found.append(part | {"diverged": np.zeros(len(trend))})
    return every, found


@pytest.fixture
def ranked():
    grid = replace(rank.QUICK, seeds=6)
    return made_up(grid, np.array([1.0, 2.0, 3.0]))


def failed(result):
    return {check.name for check in result.checks if not check.passed}


def changed(found, name, function, part=0):
    new = [dict(arrays) for arrays in found]
    new[part][name] = function(np.array(new[part][name]))
    return new


def first_to(values, number):
    """The first start's, in place of what is there."""
    values[0] = number
    return values


def listed(value):
    """With lists for tuples, as JSON has them."""
    if isinstance(value, dict):
        return {key: listed(v) for key, v in value.items()}
    return [listed(v) for v in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("quick", [True, False])
def test_every_case_is_plain_data_with_known_tasks_and_starts(name, quick):
    every = load(name).cases(quick, 3)
    assert json.loads(json.dumps(every)) == [listed(case) for case in every]
    kinds = {"rank", "power_law", "gradient", "input_output"}
    for case in (case.get("network", case) for case in every):
        assert case["task"].partition(" ")[0] in TASKS
        names = [start.removesuffix(KEPT) for start in case["starts"]]
        assert all(s in STARTS or s.partition(":")[0] in kinds for s in names)
        assert case["seed"] == 3


def test_the_full_grids_ask_what_was_to_be_asked():
    for name in RECURRENT:
        every = [case.get("network", case) for case in load(name).cases(False, 0)]
        # the theory is asked of the first few seeds of the others
        assert len({case["index"] for case in every}) >= (4 if name == "rnn-theory" else 10)
    assert {task.partition(" ")[0] for task in rank.FULL.tasks} == set(TASKS)
    assert {1, 30, 100, 300} <= set(ranks_of(rank.FULL))
    assert (rank.FULL.units, rank.FULL.steps, rank.FULL.batch) == (300, 10_000, 32)
    assert {start for pair in structure.CONTROLS for start in pair} <= set(structure.FULL.starts)
    assert set(structure.BURSTING) < set(structure.FULL.starts)
    for circuit in ("celegans", "mushroom_body_left", "mushroom_body_right"):
        of = {control for start, control in structure.CONTROLS if start == f"{circuit}/signed"}
        assert of == {"gaussian", f"{circuit}/shuffled/signed", f"{circuit}/degrees/signed"}
        assert (f"{circuit}/signed/kept", f"{circuit}/signed") in kept.CONTROLS
    assert ("dale/kept", "dale") in kept.CONTROLS


def test_what_rises_with_rank_is_found_to_rise(ranked):
    result = rank.conclude(*ranked)
    assert result.passed
    assert sum("KA: rho = 1 [1, 1]" in line for line in result.findings) == len(rank.QUICK.tasks)
    assert len(result.rows) == len({(r["task"], r["start"], r["measure"]) for r in result.rows})
    line = next(r for r in result.rows if (r["start"], r["measure"]) == ("rank:50", "accuracy"))
    assert line["low"] < line["mean"] < line["high"]
    assert line["seeds"] == 6


def test_what_falls_and_rises_again_is_found_to():
    grid = replace(rank.QUICK, seeds=6)
    result = rank.conclude(*made_up(grid, np.array([2.0, 1.0, 3.0])))
    lines = [line for line in result.findings if "‖ΔW_h‖: rank 1 to 5 -" in line]
    assert len(lines) == len(grid.tasks)
    assert all("rank 5 to 50 0" in line and "least at rank 5." in line for line in lines)


@pytest.mark.parametrize(
    ("name", "function", "check"),
    [
        ("final_loss", lambda v: 100.0 * v, "learned"),
        ("weight_change", lambda v: 3.0 * v, "path"),
        ("kernel_alignment", lambda v: v + 0.8, "bounds"),
        ("accuracy", lambda v: v - 0.6, "bounds"),
    ],
)
def test_one_run_that_cannot_be_fails(ranked, name, function, check):
    every, found = ranked
    one = changed(found, name, lambda v: np.where(np.arange(v.size) == 1, function(v), v))
    assert failed(rank.conclude(every, one)) == {check}


def test_a_measure_that_is_often_undefined_fails(ranked):
    every, found = ranked
    one = changed(found, "representation_alignment", lambda v: first_to(v, np.nan))
    assert rank.conclude(every, one).passed
    both = changed(one, "representation_alignment", lambda v: first_to(v, np.nan), part=1)
    assert failed(rank.conclude(every, both)) == {"defined"}


def test_a_run_that_diverged_is_counted_and_in_no_mean(ranked):
    every, found = ranked
    for name in found[0]:
        if name not in ("diverged", *(n for n in found[0] if n.startswith("theory"))):
            found = changed(found, name, lambda v: first_to(v, np.nan))
    found = changed(found, "diverged", lambda v: first_to(v, 1.0))
    result = rank.conclude(every, found)
    assert result.passed
    mine = [r for r in result.rows if (r["task"], r["start"]) == (every[0]["task"], "rank:1")]
    assert {r["diverged"] for r in mine} == {1}
    assert {r["seeds"] for r in mine if r["measure"] == "kernel_alignment"} == {5}
    assert all(np.isfinite(r["mean"]) for r in mine)


def test_runs_that_often_diverge_fail(ranked):
    every, found = ranked
    for part in (0, 1):
        found = changed(found, "diverged", lambda v: first_to(v, 1.0), part=part)
    assert failed(rank.conclude(every, found)) == {"trained"}


def test_the_papers_numbers_are_held_against_the_papers_setting_only():
    grid = replace(rank.FULL, seeds=4)
    every, found = made_up(grid, np.arange(1.0, 7.0))
    result = rank.conclude(every, found)
    assert "reference" in failed(result)  # these are made up
    assert sum("from the paper's code" in line for line in result.findings) == len(rank.PAPER)
    small = replace(grid, steps=100)
    assert not rank.reference(small, summary.gathered(*made_up(small, np.arange(1.0, 7.0))))


def test_the_paper_s_own_means_pass():
    grid = replace(rank.FULL, seeds=4)
    every, found = made_up(grid, np.arange(1.0, 7.0))
    ranks = ranks_of(grid)
    for (task, name, r), (value, _) in rank.PAPER.items():
        for case, part in zip(every, found, strict=True):
            if case["task"] == task:
                part[name] = np.array(part[name])
                part[name][ranks.index(r)] = value * (1.0 + 0.01 * (case["index"] - 1.5))
    distances = rank.reference(grid, summary.gathered(every, found))
    assert len(distances) == len(rank.PAPER)
    assert max(row[-1] for row in distances) < 0.5


def test_structures_differ_from_their_controls_or_are_said_not_to():
    grid = replace(structure.QUICK, seeds=8)
    trend = np.ones(len(grid.starts))
    trend[grid.starts.index("dale")] = 1.5
    every, found = made_up(grid, trend)
    result = structure.conclude(every, found)
    assert result.passed
    (line,) = (x for x in result.findings if x.startswith("2AF, KA less"))
    above, rest = line.split("above the control: ")[1].split("not told apart: ")
    assert above.startswith("dale - gaussian ")
    assert all(start in rest for start, _ in structure.CONTROLS if start != "dale")
    pairs = [r for r in result.rows if r["control"]]
    assert len(pairs) == len(structure.CONTROLS) * len(summary.NAMES)
    for row in pairs:
        assert 0.0 <= row["p"] <= row["adjusted_p"] <= 1.0


def test_what_is_kept_is_compared_with_the_same_start_trained_freely():
    grid = replace(kept.QUICK, seeds=6)
    trend = np.where([start == "dale/kept" for start in grid.starts], 2.0, 1.0)
    result = kept.conclude(*made_up(grid, trend))
    assert result.passed
    (line,) = (x for x in result.findings if x.startswith("2AF, KA less"))
    above, rest = line.split("above the control: ")[1].split("not told apart: ")
    assert above.startswith("dale/kept - dale ")
    assert all(f"{start} - {control} " in rest for start, control in kept.CONTROLS[1:])


def test_courses_say_when_half_of_the_change_is_there():
    grid = replace(kept.QUICK, seeds=4)
    every, found = made_up(grid, np.ones(len(grid.starts)))
    steps = watched(training_of(every[0]))
    mine = summary.gathered(every, found)["2AF"]
    shape = mine["kernel_alignment_along"].shape
    mine["kernel_alignment_along"] = np.broadcast_to(np.sqrt(np.array(steps) / 600.0), shape)
    mine["representation_alignment_along"] = np.ones(shape)
    course, half = summary.courses(grid, mine, [0, 1])
    assert course.startswith(f"after {', '.join(map(str, steps))} steps: RA 1, 1, ")
    between = np.interp(0.5, np.sqrt(np.array(steps) / 600.0), steps)
    assert f"KA {between:.3g}" in half
    assert "RA 0," in half


def test_starts_that_burst_may_diverge_and_are_told_of():
    grid = replace(structure.QUICK, seeds=3)
    every, found = made_up(grid, np.ones(len(grid.starts)))
    place = grid.starts.index("celegans")
    found = changed(found, "diverged", lambda v: np.where(np.arange(v.size) == place, 1.0, v))
    result = structure.conclude(every, found)
    assert result.passed
    (line,) = (line for line in result.findings if "2AF, celegans:" in line)
    assert "1 of 3 runs diverged, median" in line
    place = grid.starts.index("dale")
    for part in range(3):
        found = changed(
            found, "diverged", lambda v: np.where(np.arange(v.size) == place, 1.0, v), part
        )
    result = structure.conclude(every, found)
    assert failed(result) == {"trained"}
    assert "2AF, dale: 3 of 3 runs diverged." in result.findings


def test_runs_that_fall_silent_are_told_of():
    grid = replace(structure.QUICK, seeds=3)
    every, found = made_up(grid, np.ones(len(grid.starts)))
    place = grid.starts.index("dale")
    name = "representation_alignment"
    found = changed(found, name, lambda v: np.where(np.arange(v.size) == place, np.nan, v))
    result = structure.conclude(every, found)
    assert result.passed
    assert "2AF, dale: 1 of 3 runs end with no unit active." in result.findings


@pytest.fixture(scope="module")
def courses():
    grid = replace(
        forgetting.QUICK, starts=("rank:1", "rank:20"), seeds=2, units=20, steps=300, window=100
    )
    every = forgetting.cases(grid, 0)
    return every, [forgetting.simulate(case) for case in every]


def test_both_orders_are_learned_and_the_first_task_suffers(courses):
    every, found = courses
    assert [(c["task"], c["then"]) for c in every[::2]] == [("2AF", "DMS"), ("DMS", "2AF")]
    result = forgetting.conclude(*courses)
    assert result.passed
    assert all(np.all(part["loss_left"] > part["loss_learned"]) for part in found)
    for part in found:
        np.testing.assert_array_equal(
            part["forgotten"], part["accuracy_learned"] - part["accuracy_left"]
        )
        moved = part["change_first"] + part["change_second"]
        assert np.all(moved <= part["path_length"] * (1 + 1e-4))
    names = {(r["course"], r["rank"], r["measure"]) for r in result.rows}
    assert len(names) == len(result.rows) == 2 * 2 * len(forgetting.MEASURES)


def test_forgetting_too_says_in_one_line_that_memory_is_short(courses, monkeypatch):
    def full(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes")

    monkeypatch.setattr(forgetting, "train", full)
    with pytest.raises(MemoryError, match="has no memory for 2 networks of 20 units at once"):
        forgetting.simulate(courses[0][0])


def test_a_second_task_that_is_not_learned_fails(courses):
    every, found = courses
    bad = changed(found, "loss_second", lambda v: np.flip(v, axis=1), part=-1)
    assert failed(forgetting.conclude(every, bad)) == {"learned"}
    bad = changed(found, "diverged", lambda v: v + 1.0, part=-1)
    assert failed(forgetting.conclude(every, bad)) == {"trained"}
