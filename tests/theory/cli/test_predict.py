"""`richlazy predict`: what it prints."""

from __future__ import annotations

import numpy as np
import pytest

import richlazy as rl
from richlazy import connectomes, low_rank
from richlazy.laziness import Measures
from richlazy.recurrent.averages import stack
from richlazy.two_layer import solve as prediction
from tests.theory.cli.commands import BETA, W, answer, fail, succeed


def test_a_family_of_one_alignment():
    found = answer("flat:rank=5,norm=1", "--inputs", "100", "--alignment", "0.3")
    point = low_rank.measures(5, 100, alignment=0.3)
    for name in Measures._fields:
        assert found[name] == {
            "mean": pytest.approx(float(getattr(point, name)), rel=1e-12),
            "sd": 0.0,
            "standard_error": 0.0,
        }
    assert (found["start"], found["method"]) == ("flat:rank=5,norm=1", "closed form (T6)")
    assert (found["time"], found["notes"]) == ("inf", [])


def test_the_numbers_in_the_table_are_those_of_the_json():
    arguments = ("flat:rank=5,norm=1", "--inputs", "100")
    found, table = answer(*arguments), succeed("predict", *arguments)
    rows = {line[:29].strip(): line[29:].split() for line in table.splitlines()}
    for name, label in (
        ("weight_change", "weight change ||dW||"),
        ("weight_change_input", "first layer ||dW1||"),
        ("representation_alignment", "representation alignment RA"),
        ("kernel_alignment", "kernel alignment KA"),
    ):
        wanted = [found[name][part] for part in ("mean", "sd", "standard_error")]
        assert [float(cell) for cell in rows[label]] == pytest.approx(wanted, rel=1e-5)
    assert "method: closed form (T7)\n" in table
    assert "accuracy: exact\n" in table
    assert "assumptions: silent readout; white inputs; task directions uniform" in table
    assert table.endswith("norm: 1\n")


@pytest.mark.parametrize("name", ["w.csv", "w.npy", "w.mtx", "größe κ.csv", "[bold]$x_.csv"])
def test_weights_from_every_file_are_rescaled_and_averaged_over_tasks(name):
    found = answer(name)
    expected = rl.expect(W / np.linalg.norm(W)).to_dict()
    for measure in ("kernel_alignment", "representation_alignment", "weight_change"):
        assert found[measure] == pytest.approx(expected[measure], rel=1e-7)
    assert found["start"] == name.rpartition(".")[0]
    assert found["norm"] == pytest.approx(1.0, rel=1e-14)
    assert found["given_norm"] == pytest.approx(np.linalg.norm(W), rel=1e-14)


@pytest.mark.parametrize(("norm", "wanted"), [("keep", np.linalg.norm(W)), ("0.25", 0.25)])
def test_the_norm_may_be_kept_or_chosen(norm, wanted):
    found = answer("w.csv", "--norm", norm)
    assert found["norm"] == pytest.approx(wanted, rel=1e-12)
    expected = rl.expect(W * (wanted / np.linalg.norm(W)))
    assert found["kernel_alignment"]["mean"] == pytest.approx(
        expected.kernel_alignment.mean, rel=1e-7
    )
    table = succeed("predict", "w.csv", "--norm", norm)
    told = "(as given" in table.splitlines()[-1]
    assert told == (norm != "keep")


def test_a_family_has_its_own_norm_unless_another_is_asked_for():
    assert answer("flat:rank=2,norm=3", "--inputs", "9")["norm"] == pytest.approx(3.0)
    assert answer("flat:rank=2,norm=3", "--inputs", "9", "--norm", "keep")["norm"] == pytest.approx(
        3.0
    )
    assert answer("flat:rank=2", "--inputs", "9", "--norm", "3") == {
        **answer("flat:rank=2,norm=3", "--inputs", "9"),
        "start": "flat:rank=2",
        "given_norm": pytest.approx(1.0),
    }


@pytest.mark.parametrize("name", ["s.csv", "row.csv"])
def test_one_row_or_column_is_a_spectrum(name):
    found = answer(name, "--inputs", "8", "--hidden", "3")
    expected = rl.expect(rl.spectrum.rescaled([3.0, 2, 1], 1.0), inputs=8)
    assert found["kernel_alignment"]["mean"] == pytest.approx(
        expected.kernel_alignment.mean, rel=1e-9
    )


def test_a_connectome_by_its_name():
    weights = connectomes.load("mushroom_body_left").weights
    found = answer("mushroom_body_left")
    expected = rl.expect(weights / np.linalg.norm(weights))
    assert found["kernel_alignment"]["mean"] == pytest.approx(
        expected.kernel_alignment.mean, rel=1e-7
    )


def test_a_square_matrix_is_read_both_ways(folder):
    found, table = answer("edges.csv"), succeed("predict", "edges.csv")
    alone = answer("edges.csv", "--as", "recurrent")
    first = answer("edges.csv", "--as", "first-layer")
    assert alone.pop("recurrent") == found.pop("recurrent")
    assert found == first
    assert set(alone) == {"start", "read"}
    assert table.startswith("edges as recurrent network (steps 5, channels 1, outputs 1)\n")
    assert "\n\nedges as first layer (3 x 3)\n" in table


def test_a_reading_whose_flow_does_not_end_leaves_the_other_its_answer(folder, monkeypatch):
    monkeypatch.setattr(stack, "_PATIENCE", 50)
    (folder / "two.csv").write_text("1.5,2\n3,4.5\n")
    found = answer("two.csv")
    assert "ask for" in found["recurrent"]["refused"]
    assert found["kernel_alignment"] == answer("two.csv", "--as", "first-layer")["kernel_alignment"]
    lines = succeed("predict", "two.csv").splitlines()
    assert lines[0] == f"not read as recurrent: {found['recurrent']['refused']}"
    assert fail("predict", "two.csv", "--as", "recurrent") == found["recurrent"]["refused"]


def test_a_recurrent_network_is_what_expect_says(folder):
    weights = connectomes.load("celegans_brain_1").weights
    asked = ("--as", "recurrent", "--steps", "3", "--channels", "2", "--gain", "0.5")
    found = answer("celegans_brain_1", *asked, "--time", "2")["recurrent"]
    n = len(weights)
    scaled = weights * (0.5 * np.sqrt(n) / np.linalg.norm(weights))
    expected = rl.recurrent.expect(scaled, 3, 2, t=2.0).to_dict()
    for name in ("kernel_alignment", "weight_change_recurrent", "loss"):
        assert found[name] == pytest.approx(expected[name], rel=1e-6)
    assert (found["gain"], found["steps"], found["channels"]) == (pytest.approx(0.5), 3, 2)
    assert found["given_gain"] == pytest.approx(np.linalg.norm(weights) / np.sqrt(n))


def test_a_spectrum_as_recurrent_weights():
    found = answer("flat:rank=40", "--as", "recurrent", "--units", "80", "--steps", "3")
    spectrum = rl.spectrum.flat(40, 0.625 * np.sqrt(80))
    expected = rl.recurrent.expect(spectrum, 3, units=80)
    assert found["recurrent"]["kernel_alignment"]["mean"] == pytest.approx(
        expected.kernel_alignment.mean, rel=1e-6
    )
    kept = answer("flat:rank=40,norm=3", "--units", "90")["recurrent"]
    assert kept["gain"] == pytest.approx(3 / np.sqrt(90))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("w.csv --steps 3", "w is 4 x 6 weights, and recurrent weights are a square matrix"),
        ("w.csv --as first-layer --gain 1", "--gain is for recurrent networks; leave it out"),
        ("edges.csv --as recurrent --task beta.csv", "--task is for a first layer; leave it out"),
        ("edges.csv --steps 3 --alignment 0.5", "--alignment is for a first layer; leave it out"),
        ("flat:rank=3 --as recurrent", "--units is needed with a spectrum"),
        ("edges.csv --units 4", "--units is 4, but the weights have 3 neurons"),
    ],
)
def test_options_of_the_other_reading_are_refused(arguments, expected):
    assert expected in fail("predict", *arguments.split())


def test_an_edge_list_says_what_was_done():
    table = succeed("predict", "edges.csv")
    notes = [
        "self-edges kept on the diagonal: 1",
        "repeated edges, added up: 1",
    ]
    assert table.endswith("".join(f"note: {note}\n" for note in notes))
    assert answer("edges.csv")["notes"] == notes


@pytest.mark.parametrize("task", ["beta.csv", "beta2.csv"])
def test_a_task_file_is_the_task(task):
    found = answer("w.csv", "--task", task, "--inputs", "6", "--hidden", "4", "--time", "0.7")
    beta = BETA if task == "beta.csv" else [BETA, BETA[::-1]]
    start = rl.Network(W / np.linalg.norm(W))
    expected = rl.predict(start, rl.Task(beta), 0.7).to_dict()
    for name in ("weight_change", "kernel_alignment", "loss", "relative_weight_change"):
        assert found[name] == pytest.approx(expected[name], rel=1e-7)
    assert found["time"] == 0.7
    assert "relative weight change" in succeed("predict", "w.csv", "--task", task)


@pytest.mark.parametrize("hidden", [None, "7"])
def test_a_spectrum_on_a_task_draws_its_singular_vectors_from_a_fixed_seed(hidden):
    more = () if hidden is None else ("--hidden", hidden)
    found = answer("s.csv", "--task", "beta.csv", *more)
    start = rl.Network.from_spectrum(
        rl.spectrum.rescaled([3.0, 2, 1, 0], 1.0),
        task=rl.Task(BETA),
        hidden=3 if hidden is None else 7,
        rng=np.random.default_rng(0),
    )
    expected = rl.predict(start, rl.Task(BETA))
    assert found["kernel_alignment"] == pytest.approx(expected.kernel_alignment, rel=1e-9)
    assert found["notes"] == ["singular vectors drawn at random, seed 0"]


def test_outputs_strength_and_time_are_passed_on():
    found = answer(
        "flat:rank=3,norm=2", "--inputs", "6", "--outputs", "2", "--strength", "0.5", "--time", "2"
    )
    expected = rl.expect(rl.spectrum.flat(3, 2.0), 6, outputs=2, strength=0.5, t=2.0)
    assert found["weight_change"]["mean"] == pytest.approx(expected.weight_change.mean, rel=1e-9)
    assert found["time"] == 2.0


@pytest.mark.parametrize(
    ("arguments", "measure", "wanted"),
    [
        (("--time", "0"), "weight_change", 0),
        (("--time", "0"), "kernel_alignment", 1),
        (("--time", "1e300"), "loss", 0),
        (("--alignment", "0"), "loss", 0.5),
        (("--alignment", "1"), "loss", 0),
        (("--inputs", "1000000000"), "kernel_alignment", 0),
        (("--inputs", "3", "--alignment", "1"), "loss", 0),
    ],
)
def test_the_ends_of_every_range_are_allowed(arguments, measure, wanted):
    inputs = () if "--inputs" in arguments else ("--inputs", "9")
    found = answer("flat:rank=3", *inputs, *arguments)
    assert found[measure]["mean"] == pytest.approx(wanted, abs=1e-4)


def test_an_undefined_measure_is_a_dash(monkeypatch):
    record = rl.predict(rl.Network(W), rl.Task(BETA))
    undefined = type(record)(**{**vars(record), "kernel_alignment": None})
    monkeypatch.setattr(prediction, "predict", lambda *_: undefined)
    table = succeed("predict", "w.csv", "--task", "beta.csv")
    assert any(line.split() == ["kernel", "alignment", "KA", "-"] for line in table.splitlines())
    assert answer("w.csv", "--task", "beta.csv")["kernel_alignment"] is None


def test_what_is_no_number_is_never_printed_as_json(monkeypatch):
    record = rl.predict(rl.Network(W), rl.Task(BETA))
    wrong = type(record)(**{**vars(record), "loss": float("nan")})
    monkeypatch.setattr(prediction, "predict", lambda *_: wrong)
    assert "not JSON compliant" in fail("predict", "w.csv", "--task", "beta.csv", "--json")


def test_one_sentence_says_rich_or_lazy_and_against_what():
    arguments = ("flat:rank=5,norm=1", "--inputs", "100")
    found, table = answer(*arguments), succeed("predict", *arguments)
    full = rl.expect(rl.spectrum.flat(100), 100).kernel_alignment.mean
    assert found["verdict"]["regime"] == "rich"
    assert found["verdict"]["full_rank"] == full
    assert found["verdict"]["own_norm"] is None  # a family has no other norm
    assert f"verdict: {found['verdict']['sentence']}\n" in table
    assert f"richer than a flat full-rank start of this size and norm ({full:.3f})" in table
    assert "effective ranks: participation 5, stable 5, entropy 5, numerical 5\n" in table
    assert found["effective_ranks"]["participation"] == pytest.approx(5.0, rel=1e-12)


def test_the_own_norm_of_a_file_is_told_of():
    found = answer("w.csv")["verdict"]
    assert found["own_norm"] == pytest.approx(np.linalg.norm(W), rel=1e-12)
    ratio = rl.spectrum.effective_rank(rl.spectrum.of(W))
    law = rl.limits.law(ratio, W.shape[1], norm=np.linalg.norm(W)).mean.kernel_alignment
    assert found["law_at_own_norm"] == pytest.approx(float(law), rel=1e-9)
    assert answer("w.csv", "--norm", "keep")["verdict"]["own_norm"] is None


def test_a_task_file_is_not_rescaled_and_says_so(tmp_path):
    np.save(tmp_path / "task.npy", 3.0 * BETA)
    found = answer("w.csv", "--task", str(tmp_path / "task.npy"))
    task = rl.Task(3.0 * BETA)
    assert found["task"]["strength"] == pytest.approx(task.strength, rel=1e-12)
    shares = rl.Network(W).alignment(task)
    assert found["task"]["alignment"] == pytest.approx(list(shares), rel=1e-9)
    table = succeed("predict", "w.csv", "--task", str(tmp_path / "task.npy"))
    said = (
        f"strength {task.strength:.6g} as in its file (not rescaled), alignment c {shares[0]:.4g}"
    )
    assert said in table


def test_no_alignment_of_a_full_rank_matrix_points_to_what_can_be_asked():
    line = fail("predict", "flat:rank=4", "--inputs", "4", "--alignment", "0.3")
    assert "Leave it out for random tasks, or ask for one task by its vector (--task FILE" in line


@pytest.mark.parametrize(("dtype", "digits"), [("float32", 6), ("float16", 2)])
def test_rank_is_judged_at_the_precision_of_the_file(tmp_path, dtype, digits):
    rng = np.random.default_rng(4)
    whole = rng.standard_normal((30, 4)) @ rng.standard_normal((4, 60)) / 10
    np.save(tmp_path / "whole.npy", whole)
    np.save(tmp_path / "stored.npy", whole.astype(dtype))
    right, found = (
        answer(str(tmp_path / f"{name}.npy"), "--alignment", "0.2") for name in ("whole", "stored")
    )
    assert found["effective_ranks"]["numerical"] == right["effective_ranks"]["numerical"] == 4
    for measure in ("representation_alignment", "kernel_alignment", "weight_change"):
        means = [record[measure]["mean"] for record in (found, right)]
        assert means[0] == pytest.approx(means[1], rel=10.0**-digits)
    assert any("W1 has rank 4 then" in words for words in found["assumptions"])


def test_a_table_of_few_digits_keeps_its_rank(tmp_path):
    (tmp_path / "w.csv").write_text("0.6,0.2,0.1\n0.1,0.5,0.3\n0.2,0.1,0.1\n")
    assert answer(str(tmp_path / "w.csv"))["effective_ranks"]["numerical"] == 3


@pytest.mark.parametrize("given", [(), ("--task", "task.npy")])
def test_the_product_of_a_large_list_is_taken_once(tmp_path, monkeypatch, given):
    """||W'W||_F takes most of the time: averages or a task, and the effective rank, share it."""
    from richlazy.start import matrices, spectrum

    rng, asked, whole = np.random.default_rng(0), [], matrices.second_moments
    edges = np.unique(rng.integers(0, 40, (300, 2)), axis=0)
    lines = [f"n{pre},n{post},{rng.geometric(0.2)}" for pre, post in edges]
    (tmp_path / "w.csv").write_text("\n".join(["pre,post,count", *lines]) + "\n")
    np.save(tmp_path / "task.npy", rng.standard_normal(40))

    def counting(matrix, *drawn):
        asked.append(matrix)
        return whole(matrix, *drawn)

    monkeypatch.setattr(matrices, "DENSE_LIMIT", 10)
    monkeypatch.setattr(matrices, "second_moments", counting)
    monkeypatch.chdir(tmp_path)
    found = answer("w.csv", "--as", "first-layer", *given)
    assert len(asked) == 1
    assert list(found["effective_ranks"]) == ["participation"]
    ratio = spectrum.participation_ratio(asked[0]).value
    assert found["effective_ranks"]["participation"] == ratio


def test_a_matrix_is_decomposed_once(tmp_path, monkeypatch):
    """Averages and effective ranks share its singular values, which take most of the time."""
    from richlazy.start import matrices

    weights, asked, whole = np.random.default_rng(0).standard_normal((60, 70)), [], np.linalg.svd
    np.save(tmp_path / "w.npy", weights)

    def counting(matrix, *given, **options):
        asked.append(np.shape(matrix) == weights.shape)
        return whole(matrix, *given, **options)

    monkeypatch.setattr(np.linalg, "svd", counting)
    found = answer(str(tmp_path / "w.npy"))
    assert sum(asked) == 1
    monkeypatch.undo()
    values = matrices.singular_values(weights)
    share = values**2 / np.sum(values**2)
    assert found["effective_ranks"]["participation"] == pytest.approx(1.0 / np.sum(share**2))
    assert found["effective_ranks"]["numerical"] == 60
