"""The tasks, held against trials that neurogym draws itself, and the split of the digits."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

import neurogym

from validation.rnn import tasks
from validation.rnn.tasks import TASKS, Task, load

ROOT = Path(__file__).resolve().parents[3]
COGNITIVE = ("2AF", "DMS", "CXT")
SHAPES = {"2AF": (10, 8, 3), "DMS": (4, 8, 3), "CXT": (72, 8, 7)}
TRIALS = 4000
RARE = 1e-4  # p of a test that is wrongly failed, if seeds were drawn


def environment(name):
    """As a user of neurogym makes it, with the timings of arXiv 2310.08513."""
    options = {
        "2AF": {"timing": {"fixation": 0, "stimulus": 700, "delay": 0, "decision": 100}},
        "DMS": {"timing": {"fixation": 0, "sample": 100, "delay": 500, "test": 100}},
        "CXT": {"timing": {"fixation": 0, "stimulus": 200, "delay": 500}, "use_expl_context": True},
    }[name]
    options["timing"]["decision"] = 100
    ids = {
        "2AF": "PerceptualDecisionMaking-v0",
        "DMS": "DelayMatchSample-v0",
        "CXT": "ContextDecisionMaking-v0",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return neurogym.make(ids[name], dt=100, **options).unwrapped


def noiseless(name, trial):
    """What a trial shows and asks for, from what was drawn for it and the tasks' definitions."""
    x, y = np.zeros(SHAPES[name][1:]), np.zeros(8, dtype=int)
    if name == "2AF":
        side = 1 if trial["ground_truth"] == 0 else -1
        x[:7, 1:] = 0.5 + np.array([side, -side]) * trial["coh"] / 200
        y[7] = trial["ground_truth"] + 1
    elif name == "DMS":
        first = 0 if trial["sample_theta"] < 1 else 1
        x[:7, 0] = 1
        x[0, 1 + first] = 1
        x[6, 1 + (first if trial["ground_truth"] == 1 else 1 - first)] = 1
        y[7] = trial["ground_truth"]
    else:
        choices = [trial["ground_truth"], trial["other_choice"]]
        if trial["context"] == 1:
            choices.reverse()
        for k, coherence in enumerate((trial["coh_1"], trial["coh_2"])):
            side = 1 if choices[k] == 1 else -1
            x[:2, 1 + 2 * k : 3 + 2 * k] = 0.5 + np.array([side, -side]) * coherence / 200
        x[:, 5 + trial["context"]] = 1
        y[7] = trial["ground_truth"]
    return x, y


@pytest.fixture(scope="module", params=COGNITIVE)
def drawn(request):
    """A task, observations and labels that neurogym drew, and the condition of each trial."""
    name = request.param
    task, env = load(name), environment(name)
    data = neurogym.Dataset(env, batch_size=1, seq_len=8, cache_len=8 * (TRIALS - 1))
    data.seed(7)
    data._cache()
    observed = data._inputs[:, 0].reshape(TRIALS, 8, -1)
    labels = data._target[:, 0].reshape(TRIALS, 8)

    env.seed(7)  # the same trials, now with what was drawn for each
    which = np.empty(TRIALS, dtype=int)
    for i in range(TRIALS):
        x, y = noiseless(name, env.new_trial())
        assert np.array_equal(env.ob, observed[i])
        same = np.all(task.labels == y, axis=1)
        same &= np.all(np.abs(task.inputs - x) < 1e-6, axis=(1, 2))
        assert np.sum(same) == 1, "each trial is one condition, and conditions differ"
        which[i] = np.argmax(same)
    return task, observed, labels, which


@pytest.mark.parametrize("name", COGNITIVE)
def test_the_fields_of_a_cognitive_task(name):
    task = load(name)
    assert task.name == name
    assert task.inputs.shape == SHAPES[name]
    assert task.noise.shape == SHAPES[name][1:]
    assert task.labels.shape == SHAPES[name][:2]
    assert (task.inputs.dtype, task.noise.dtype) == (np.float32, np.float32)
    assert task.labels.dtype == np.int32
    assert task.scored == tuple(range(8))
    assert (task.decision, task.outputs, task.held_out) == (7, 3, None)
    assert not task.labels[:, :7].any()
    assert np.bincount(task.labels[:, 7]).tolist() == [0, SHAPES[name][0] / 2, SHAPES[name][0] / 2]


def test_labels_are_those_of_neurogym(drawn):
    task, _, labels, which = drawn
    assert np.array_equal(task.labels[which], labels)


def test_a_drawn_trial_is_its_condition_where_there_is_no_noise(drawn):
    task, observed, _, which = drawn
    silent = task.noise == 0
    assert np.array_equal(task.inputs[which][:, silent], observed[:, silent])


def test_the_rest_of_a_drawn_trial_is_white_noise_of_the_stated_size(drawn):
    task, observed, _, which = drawn
    noisy = task.noise > 0
    z = ((observed - task.inputs[which])[:, noisy] / task.noise[noisy]).astype(float)
    limit = stats.norm.isf(RARE / 2 / z.shape[1])
    assert np.max(np.abs(np.mean(z, axis=0))) * np.sqrt(TRIALS) < limit
    size = np.sum(z**2, axis=0)  # chi-square
    p = np.minimum(stats.chi2.cdf(size, TRIALS), stats.chi2.sf(size, TRIALS))
    assert np.min(p) > RARE / 2 / z.shape[1]
    pairs = np.corrcoef(z.T)[np.triu_indices(z.shape[1], 1)]
    assert np.max(np.abs(pairs)) * np.sqrt(TRIALS) < stats.norm.isf(RARE / 2 / pairs.size)
    assert stats.kstest(z.ravel(), "norm").pvalue > RARE


def test_conditions_are_equally_likely(drawn):
    task, _, _, which = drawn
    assert stats.chisquare(np.bincount(which, minlength=len(task.inputs))).pvalue > RARE


def test_legacy_2af_shows_the_fixation_input_until_the_decision():
    old, new = load("2AF", legacy=True), load("2AF")
    assert np.all(old.inputs[:, :7, 0] == 1)
    assert not old.inputs[:, 7].any()
    assert not new.inputs[..., 0].any()
    assert np.array_equal(old.inputs[..., 1:], new.inputs[..., 1:])
    assert np.array_equal(old.noise, new.noise)
    assert np.array_equal(old.labels, new.labels)


def test_legacy_cxt_has_noise_on_all_channels_and_the_fixation_input_until_the_decision():
    old, new = load("CXT", legacy=True), load("CXT")
    assert np.all(old.inputs[:, :7, 0] == 1)
    assert not old.inputs[:, 7, :5].any()
    assert not new.inputs[..., 0].any()
    assert np.array_equal(old.inputs[..., 1:], new.inputs[..., 1:])
    assert np.all(old.noise[:2] == np.float32(0.1))
    assert not old.noise[2:].any()
    assert np.array_equal(old.noise[:, 1:5], new.noise[:, 1:5])
    assert not new.noise[:, [0, 5, 6]].any()
    assert np.array_equal(old.labels, new.labels)


@pytest.mark.parametrize("name", ["DMS", "digits"])
def test_the_others_are_the_same_in_both(name):
    assert same(load(name, legacy=True), load(name))


def same(one, other):
    if one is None or other is None:
        return one is other
    pairs = [(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(Task)]
    return all(same(a, b) if isinstance(a, Task) else np.array_equal(a, b) for a, b in pairs)


def test_the_digits_are_split_the_same_every_time_each_image_once():
    from sklearn.datasets import load_digits

    task = load("digits")
    assert same(task, load("digits"))
    images = np.concatenate([task.inputs, task.held_out.inputs]).reshape(-1, 64)
    digits = np.concatenate([task.labels[:, 0], task.held_out.labels[:, 0]])
    found = load_digits()
    rows, known = (
        {(*pixels, digit) for pixels, digit in zip(*pair, strict=True)}
        for pair in ((images * 16, digits), (found.data, found.target))
    )
    assert rows == known
    assert len(rows) == len(images) == 1797
    assert (images.min(), images.max()) == (0, 1)


def test_a_fifth_of_each_digit_is_held_out():
    task = load("digits")
    trained, held_out = (np.bincount(t.labels[:, -1]) for t in (task, task.held_out))
    assert np.all(np.abs(held_out - (trained + held_out) / 5) <= 0.5)


def test_images_have_no_noise_and_are_scored_at_their_last_row():
    task = load("digits")
    for part in (task, task.held_out):
        assert part.inputs.shape[1:] == part.noise.shape == (8, 8)
        assert part.inputs.dtype == part.noise.dtype == np.float32
        assert part.labels.dtype == np.int32
        assert not part.noise.any()
        assert (part.scored, part.decision, part.outputs) == ((7,), 7, 10)
        assert np.all(part.labels == part.labels[:, :1])
    assert task.held_out.held_out is None


@pytest.mark.parametrize("name", ["2af", "MNIST", ""])
def test_an_unknown_task_is_told_the_known_ones(name):
    with pytest.raises(ValueError, match=f"one of 2AF, DMS, CXT, digits; it is '{name}'"):
        load(name)


@pytest.mark.parametrize(("name", "module"), [("CXT", "neurogym"), ("digits", "sklearn.datasets")])
def test_without_the_extra_it_says_how_to_get_it(name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=rf"need {module}: .*\[rnn\]") as caught:
        load(name)
    assert caught.value.name == module


def test_nothing_warns_in_a_fresh_process():
    code = "from validation.rnn.tasks import TASKS, load\nfor name in TASKS: load(name)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_other_warnings_are_not_hidden(monkeypatch):
    make = neurogym.make

    def warn(*args, **kwargs):
        warnings.warn("something else", UserWarning, stacklevel=2)
        return make(*args, **kwargs)

    monkeypatch.setattr(neurogym, "make", warn)
    with pytest.warns(UserWarning, match="something else"):
        load("2AF")


def test_the_names_are_listed():
    assert TASKS == ("2AF", "DMS", "CXT", "digits")
    assert tasks.__all__ == ["TASKS", "Task", "load", "mnist"]
