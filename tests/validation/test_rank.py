"""The rank study: what it measures, what makes it fail, and its command line."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import validation
from richlazy import low_rank
from richlazy.laziness import Measures
from validation import rank
from validation.cli import cli
from validation.steps import place

ROOT = Path(__file__).resolve().parents[2]
TINY = rank.Grid(inputs=4, hidden=5, norms=(1.0, 2.0), times=(1, 30), runs=16, fineness=60)


def run_python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def simulated(grid):
    return rank.gathered(grid, [rank.simulate(case) for case in rank.cases(grid, 0)])


@pytest.fixture(scope="module")
def simulation():
    return simulated(rank.QUICK)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(rank, "QUICK", TINY)


def failed(simulation):
    _, checks = rank.compare(rank.QUICK, simulation)
    return {check.name for check in checks if not check.passed}


def damage_measures(monkeypatch, **factors):
    whole = low_rank.measures

    def damaged(*arguments, **options):
        values = whole(*arguments, **options)
        return values._replace(**{k: getattr(values, k) * f for k, f in factors.items()})

    monkeypatch.setattr(low_rank, "measures", damaged)


def damage_law(monkeypatch, part, factor):
    whole = low_rank.expected

    def damaged(*arguments, **options):
        law = whole(*arguments, **options)
        setattr(law, part, Measures(*(factor * value for value in getattr(law, part))))
        return law

    monkeypatch.setattr(low_rank, "expected", damaged)


def test_the_quick_run_passes_with_every_cell_in_its_table(simulation):
    rows, checks = rank.compare(rank.QUICK, simulation)
    assert [check.name for check in checks if not check.passed] == []
    cells = 7 * 2 * 12 * 2  # measures, norms, ranks, times
    counts = {check.name: check.count for check in checks}
    assert counts["means"] == len(rows) == cells
    assert counts["runs"] == cells * rank.QUICK.runs
    assert counts["quantiles"] == 2 * 2 * 3 * 3  # norms, times, measures, quantiles
    assert counts["cosines"] == 2 * 11
    assert counts["limit"] > 0.5 * counts["runs"] / 2
    assert counts["settled"] == 1
    assert max(abs(row["z"]) for row in rows) == pytest.approx(checks[0].worst)


def test_every_rank_is_there_and_full_rank_is_aligned(simulation):
    assert rank.FULL.inputs == 40
    np.testing.assert_array_equal(rank.FULL.ranks, np.arange(1, 41))
    c = simulation.alignment
    assert np.all(c[:, -1] == 1.0)
    assert np.all((c[:, :-1] > 0) & (c[:, :-1] < 1))
    mean = np.mean(c, axis=(0, 2))
    np.testing.assert_allclose(mean, rank.QUICK.ranks / rank.QUICK.inputs, atol=0.1)


def test_a_kernel_alignment_wrong_by_half_a_percent_fails(simulation, monkeypatch):
    damage_measures(monkeypatch, kernel_alignment=1.005)
    assert {"runs", "limit", "order"} <= failed(simulation)


@pytest.mark.parametrize("measure", Measures._fields)
def test_every_measure_of_a_run_is_tested(simulation, monkeypatch, measure):
    damage_measures(monkeypatch, **{measure: 1.0001})
    assert "runs" in failed(simulation)


def test_the_mean_alignment_in_place_of_a_runs_own_fails(simulation):
    share = (rank.QUICK.ranks / rank.QUICK.inputs)[None, :, None]
    swapped = replace(simulation, alignment=np.broadcast_to(share, simulation.alignment.shape))
    assert {"runs", "limit"} <= failed(swapped)


def test_runs_that_swap_their_alignments_fail(simulation):
    swapped = replace(simulation, alignment=np.roll(simulation.alignment, 1, axis=2))
    assert "runs" in failed(swapped)


@pytest.mark.parametrize(
    ("part", "factor", "check"), [("mean", 1.005, "means"), ("sd", 1.3, "spreads")]
)
def test_a_law_of_means_that_is_wrong_fails(simulation, monkeypatch, part, factor, check):
    damage_law(monkeypatch, part, factor)
    assert failed(simulation) == {check}


def test_wrong_quantiles_fail(simulation, monkeypatch):
    whole = low_rank.quantile
    monkeypatch.setattr(low_rank, "quantile", lambda q, *a, **k: whole(q + 0.08, *a, **k))
    assert failed(simulation) == {"quantiles"}


def test_a_wrong_mean_cosine_fails(simulation, monkeypatch):
    whole = low_rank.mean_cosine
    monkeypatch.setattr(low_rank, "mean_cosine", lambda *a: 0.95 * whole(*a))
    assert failed(simulation) == {"cosines"}


def test_tasks_that_are_not_random_fail(simulation):
    """Runs that follow T6 but whose tasks favour the row space are not those of T7."""
    favoured = np.argsort(simulation.alignment, axis=2)[:, :, rank.QUICK.runs // 2 :]
    chosen = np.repeat(favoured, 2, axis=2)
    values = np.take_along_axis(simulation.values, chosen[None, None, ..., None], axis=4)
    alignment = np.take_along_axis(simulation.alignment, chosen, axis=2)
    assert "means" in failed(replace(simulation, values=values, alignment=alignment))


def test_steps_that_were_not_halved_fail(simulation):
    values = simulation.values.copy()
    values[:, 1:] = values[:, :1]
    assert {"order", "runs"} <= failed(replace(simulation, values=values))


def test_a_theory_of_nan_fails(simulation, monkeypatch):
    damage_measures(monkeypatch, loss=np.nan)
    assert {"runs", "order"} <= failed(simulation)


def test_nothing_settled_fails(tiny):
    early = replace(TINY, times=(1, 3))
    _, checks = rank.compare(early, simulated(early))
    assert {check.name for check in checks if not check.passed} == {"limit", "settled"}


def test_too_few_settled_runs_fail(simulation):
    values = simulation.values.copy()
    values[place("loss"), :, :, 1::2, :, -1] += 1e-11  # at every other rank
    assert failed(replace(simulation, values=values)) == {"settled"}


def test_the_command_runs_the_quick_study(tmp_path, simulation):
    done = run_python("-m", "validation", "run", "rank", "--quick", "--out", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"rank: passed (9 of 9 checks); in {tmp_path / 'rank'}" in done.stdout.splitlines()
    folder = tmp_path / "rank"
    names = {"cases", "plan.json", "table.csv", "result.json", "figure.png"}
    assert {p.name for p in folder.iterdir()} == names
    assert len(list((folder / "cases").iterdir())) == 2 * 12
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads((folder / "result.json").read_text())
    assert record["passed"]
    assert record["verdict"] == "passed (9 of 9 checks)"
    assert record["command"] == "python -m validation run rank --quick --seed=0"
    assert (record["quick"], record["seed"], record["settings"]["runs"]) == (True, 0, 32)
    assert set(record["versions"]) == {"python", "richlazy", "numpy", "scipy", "matplotlib"}
    rows, checks = rank.compare(rank.QUICK, simulation)
    assert [check["worst"] for check in record["checks"]] == [check.worst for check in checks]
    with (folder / "table.csv").open() as file:
        table = list(csv.DictReader(file))
    assert table == [{key: str(value) for key, value in row.items()} for row in rows]


def invoke(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def run_quick(*options):
    return invoke("run", "rank", "--quick", "--jobs", 1, *options)


@pytest.mark.usefixtures("tiny")
def test_a_seed_changes_the_tasks(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run_quick("--seed", seed, "--out", tmp_path / name)
    a, b, c = (tmp_path / name / "rank" for name in "abc")
    for file in ("table.csv", "result.json", "figure.png"):
        assert (a / file).read_bytes() == (b / file).read_bytes()
    assert (a / "table.csv").read_text() != (c / "table.csv").read_text()
    assert json.loads((c / "result.json").read_text())["seed"] == 1


@pytest.mark.usefixtures("tiny")
def test_a_failed_verdict_exits_with_one_and_says_which_checks(tmp_path, monkeypatch):
    damage_measures(monkeypatch, weight_change=np.nan)
    done = run_quick("--out", tmp_path)
    assert done.exit_code == 1
    record = json.loads((tmp_path / "rank" / "result.json").read_text())
    assert not record["passed"]
    assert [c["worst"] for c in record["checks"] if c["name"] == "runs"] == [None]


@pytest.mark.usefixtures("tiny")
def test_results_are_replaced_only_with_force(tmp_path):
    folder = tmp_path / "rank"
    assert run_quick("--out", tmp_path).exit_code == 0
    (folder / "table.csv").write_text("mine")
    refused = run_quick("--out", tmp_path)
    assert refused.exit_code == 2
    assert refused.output.count("\n") == 1
    assert "not empty" in refused.output
    assert (folder / "table.csv").read_text() == "mine"
    assert run_quick("--out", tmp_path, "--force").exit_code == 0
    assert (folder / "table.csv").read_text() != "mine"


def test_a_file_in_the_way_is_one_line(tmp_path):
    (tmp_path / "rank").write_text("")
    done = run_quick("--out", tmp_path)
    assert done.exit_code == 2
    assert done.output.endswith("is a file; name a folder\n")


def test_an_unknown_study_lists_the_known_ones():
    done = invoke("run", "rnak")
    assert done.exit_code == 2
    assert "rank" in done.output
    assert "all" in done.output
    with pytest.raises(KeyError, match="the known ones are rank"):
        validation.load("rnak")


def test_help_needs_no_numpy():
    code = (
        "import sys; from validation.cli import cli; cli(['--help'], standalone_mode=False); "
        "sys.exit('numpy' in sys.modules or 'rich' in sys.modules)"
    )
    done = run_python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert "run" in done.stdout


@pytest.mark.parametrize("missing", ["click", "richlazy", "matplotlib"])
def test_a_missing_library_is_one_line(missing, tmp_path):
    code = (
        f"import sys; sys.modules[{missing!r}] = None; "
        f"sys.argv = ['validation', 'run', 'rank', '--quick', '--out', {str(tmp_path)!r}]; "
        "from validation.__main__ import main; main()"
    )
    done = run_python("-c", code)
    assert done.returncode == 2
    assert done.stderr == f"validation needs {missing}: python -m pip install -e .\n"
