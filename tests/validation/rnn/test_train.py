"""Training: against plain loops, of several runs as of each alone, and where runs diverge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

import jax
import jax.numpy as jnp
import optax

from tests.validation.rnn import plain
from validation.rnn.model import Model
from validation.rnn.starts import bounds
from validation.rnn.train import Training, draw, stacked, train

UNITS, BATCH, RATE = 6, 5, 0.1
SHORT = Training(steps=20, batch=BATCH, rate=RATE, window=5)
ADAM = Training(steps=20, batch=BATCH, rate=0.01, optimizer="adam", window=5)
ROUNDING = 1e-4  # of float32, after 20 steps
CURVES = ("loss", "change", "path")


@pytest.fixture(scope="module")
def task():
    return plain.tiny()


def starts(*seeds):
    return [plain.single(plain.weights(UNITS, 2, 2, seed)) for seed in seeds]


def looped(task, params, seed, training, model, within=(-np.inf, np.inf)):
    """Parameters and, step by step, loss, |dW_h| and path of one run; SGD in float64 by hand."""
    slope = jax.jit(
        jax.value_and_grad(lambda p, x, labels: plain.loss(model, p, x, labels, task.scored))
    )
    sgd = training.optimizer == "sgd"
    adam = optax.adam(training.rate)
    state = adam.init(params)
    w = {name: value.astype(float) for name, value in params.items()}
    velocity = {name: np.zeros_like(value) for name, value in w.items()}
    rows, path = [], 0.0
    for step in range(training.steps):
        x, labels = draw(task, jax.random.fold_in(jax.random.key(seed), step), training.batch)
        now = {name: jnp.asarray(value, jnp.float32) for name, value in w.items()}
        loss, gradient = slope(now, x, np.asarray(labels))
        before = w["recurrent"].copy()
        if sgd:
            for name, part in gradient.items():
                velocity[name] = training.momentum * velocity[name] + np.asarray(part, float)
                w[name] -= training.rate * velocity[name]
        else:
            update, state = adam.update(gradient, state, now)
            w = {name: np.asarray(value + update[name], float) for name, value in now.items()}
        w["recurrent"] = np.clip(w["recurrent"], *within)
        path += np.linalg.norm(w["recurrent"] - before)
        change = np.linalg.norm(w["recurrent"] - params["recurrent"].astype(float))
        rows.append((float(loss), change, path))
    return w, np.array(rows)


@pytest.mark.parametrize("training", [SHORT, ADAM], ids=["SGD", "Adam"])
def test_signs_and_zeros_are_kept_as_by_a_plain_loop(task, training):
    every, seeds = starts(0, 1), (7, 8)
    for params in every:
        params["recurrent"][np.arange(36).reshape(6, 6) % 5 == 0] = 0.0
    each = [bounds(p["recurrent"], kept) for p, kept in zip(every, (True, False), strict=True)]
    least, most = (np.stack(side).astype(np.float32) for side in zip(*each, strict=True))
    found = train(Model(), stacked(every), task, seeds, training, (least, most))
    for run, (params, seed) in enumerate(zip(every, seeds, strict=True)):
        w, rows = looped(task, params, seed, training, Model(), each[run])
        for name, value in w.items():
            np.testing.assert_allclose(found.params[name][run], value, atol=ROUNDING)
        np.testing.assert_allclose(found.path[run, -1], rows[-1, 2], rtol=1e-3)
    kept, free = (run["recurrent"] for run in every)
    signs = np.sign(found.params["recurrent"])
    assert np.all(signs[0] * np.sign(kept) >= 0)
    assert np.all(signs[0][kept == 0] == 0)
    assert np.any(signs[0] != np.sign(kept))  # weights have come to zero, and stayed there
    assert np.any(signs[1][free == 0] != 0)


def test_parameters_along_training_are_those_of_a_shorter_one(task):
    every = stacked(starts(0, 1))
    found = train(Model(), every, task, (7, 8), SHORT, watched=(2, 4))
    half = train(Model(), every, task, (7, 8), replace(SHORT, steps=10))
    for name in every:
        np.testing.assert_array_equal(found.along[0][name], half.params[name])
        np.testing.assert_array_equal(found.along[1][name], found.params[name])


@pytest.mark.parametrize(
    ("training", "model"),
    [
        (SHORT, Model()),
        (SHORT, Model("tanh", 0.4)),
        (Training(steps=20, batch=BATCH, rate=RATE, momentum=0.0, window=5), Model()),
        (ADAM, Model()),
    ],
    ids=["momentum", "tanh", "no momentum", "Adam"],
)
def test_it_is_what_a_plain_loop_does(task, training, model):
    every, seeds = starts(0, 1), (7, 2**32 - 1)
    found = train(model, stacked(every), task, seeds, training)
    for run, (params, seed) in enumerate(zip(every, seeds, strict=True)):
        w, rows = looped(task, params, seed, training, model)
        assert rows[-1, 1] > 0.1  # it has moved
        for name, value in w.items():
            np.testing.assert_allclose(found.params[name][run], value, atol=ROUNDING)
        windows = rows.reshape(-1, training.window, 3)
        np.testing.assert_allclose(found.loss[run], windows[..., 0].mean(axis=1), rtol=ROUNDING)
        np.testing.assert_allclose(found.change[run], windows[:, -1, 1], rtol=ROUNDING)
        np.testing.assert_allclose(found.path[run], windows[:, -1, 2], rtol=ROUNDING)
    assert not found.diverged.any()


@pytest.mark.parametrize("training", [SHORT, ADAM], ids=["SGD", "Adam"])
def test_a_run_is_the_same_alone_and_among_others(task, training):
    every, seeds = starts(0, 1, 2), (3, 4, 4)
    together = train(Model(), stacked(every), task, seeds, training)
    for run, (params, seed) in enumerate(zip(every, seeds, strict=True)):
        alone = train(Model(), stacked([params]), task, [seed], training)
        for name in CURVES:
            mine = getattr(together, name)[run]
            np.testing.assert_allclose(getattr(alone, name)[0], mine, rtol=ROUNDING)
        for name, value in alone.params.items():
            np.testing.assert_allclose(value[0], together.params[name][run], atol=ROUNDING)


def test_one_seed_gives_the_same_trials_and_another_others(task):
    (params,) = starts(0)
    found = train(Model(), stacked([params] * 3), task, [5, 5, 6], SHORT)
    np.testing.assert_array_equal(found.loss[0], found.loss[1])
    np.testing.assert_array_equal(found.params["recurrent"][0], found.params["recurrent"][1])
    assert np.all(found.loss[0] != found.loss[2])
    again = train(Model(), stacked([params] * 3), task, [5, 5, 6], SHORT)
    for name in CURVES:
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


def test_the_same_run_in_other_windows(task):
    every, fine = stacked(starts(0, 1)), SHORT
    coarse = Training(steps=20, batch=BATCH, rate=RATE, window=10)
    a, b = (train(Model(), every, task, [1, 2], training) for training in (fine, coarse))
    assert a.loss.shape == a.change.shape == a.path.shape == (2, 4)
    np.testing.assert_allclose(b.loss, a.loss.reshape(2, 2, 2).mean(axis=2), rtol=1e-5)
    np.testing.assert_allclose(b.change, a.change[:, 1::2], rtol=1e-5)
    np.testing.assert_allclose(b.path, a.path[:, 1::2], rtol=1e-5)


def test_a_path_grows_and_is_no_shorter_than_the_way(task):
    found = train(Model(), stacked(starts(0, 1)), task, [1, 2], SHORT)
    assert np.all(np.diff(found.path, axis=1) > 0)
    assert np.all(found.path >= found.change * (1 - 1e-5))
    assert np.all(found.path[:, -1] > 1.01 * found.change[:, -1])


def test_learning_at_rate_zero_leaves_everything(task):
    every = stacked(starts(0, 1))
    still = Training(steps=10, batch=BATCH, rate=0.0, window=5)
    found = train(Model(), every, task, [1, 2], still)
    assert not found.change.any()
    assert not found.path.any()
    jax.tree.map(np.testing.assert_array_equal, found.params, every)


@pytest.mark.parametrize("training", [SHORT, ADAM], ids=["SGD", "Adam"])
@pytest.mark.parametrize("size", [1e25, np.inf, np.nan])
def test_a_run_that_diverges_is_stopped_and_the_others_go_on(task, training, size):
    every = starts(0, 1, 2)
    every[1]["recurrent"] = every[1]["recurrent"] * np.float32(size)
    found = train(Model(), stacked(every), task, [3, 4, 5], training)
    assert found.diverged.tolist() == [False, True, False]
    for name in CURVES:
        assert np.all(np.isnan(getattr(found, name)[1])), name
    assert all(np.all(np.isnan(value[1])) for value in found.params.values())
    others = train(Model(), stacked([every[0], every[2]]), task, [3, 5], training)
    for name in CURVES:
        wanted = getattr(others, name)
        np.testing.assert_allclose(getattr(found, name)[[0, 2]], wanted, rtol=ROUNDING)
    for name, value in others.params.items():
        np.testing.assert_allclose(found.params[name][[0, 2]], value, atol=ROUNDING)


def test_a_run_that_diverges_later_keeps_what_it_did_before(task):
    steep = Training(steps=60, batch=BATCH, rate=30.0, window=1)
    found = train(Model("linear"), stacked(starts(0)), task, [3], steep)
    (end,) = np.flatnonzero(np.diff(np.isnan(found.loss[0])))  # once, and never back
    assert 0 <= end < 59
    for name in CURVES:
        values = getattr(found, name)[0]
        assert np.all(np.isfinite(values[: end + 1])), name
        assert np.all(np.isnan(values[end + 1 :])), name
    assert found.diverged.all()


def test_a_last_step_into_nothing_is_a_divergence(task):
    """The loss is finite, what the step leaves is not."""
    every = starts(0)
    every[0]["readout"] *= np.float32(1e25)
    once = Training(steps=1, batch=BATCH, rate=1.0, window=1)
    found = train(Model(), stacked(every), task, [3], once)
    assert found.diverged.all()
    assert np.isnan(found.change).all()
    assert np.isnan(found.params["recurrent"]).all()


def test_drawn_trials_are_conditions_and_noise_where_there_is_some(task):
    count = 4000
    x, labels = (np.asarray(part) for part in draw(task, jax.random.key(0), count))
    assert (x.shape, labels.shape) == ((3, count, 2), (3, count))
    which = np.argmax(np.all(labels.T[:, None] == task.labels, axis=2), axis=1)
    share = np.bincount(which, minlength=4) / count
    np.testing.assert_allclose(share, 0.25, atol=5 * np.sqrt(0.25 * 0.75 / count))
    rest = np.swapaxes(x, 0, 1) - task.inputs[which]
    silent = task.noise == 0
    assert not rest[:, silent].any()
    z = rest[:, ~silent] / task.noise[~silent]
    assert np.max(np.abs(z.mean(axis=0))) < 5 / np.sqrt(count)
    assert np.max(np.abs(z.std(axis=0) - 1)) < 5 / np.sqrt(2 * count)
    assert abs(np.corrcoef(z.T)[0, 1]) < 5 / np.sqrt(count)


def test_stacked_parameters_have_the_runs_in_front():
    every = starts(0, 1, 2)
    found = stacked(every)
    assert {name: value.shape[0] for name, value in found.items()} == dict.fromkeys(every[0], 3)
    np.testing.assert_array_equal(found["inputs"][2], every[2]["inputs"])


def test_what_is_wrong_is_named(task):
    with pytest.raises(ValueError, match="optimizer must be one of sgd, adam; it is 'rmsprop'"):
        Training(optimizer="rmsprop")
    for steps, window in ((150, 100), (0, 100), (100, 0), (-100, 100), (10, -5)):
        with pytest.raises(ValueError, match=rf"multiple of window = {window} .*; it is {steps}"):
            Training(steps=steps, window=window)
    with pytest.raises(ValueError, match="seeds must be one for each of 2 runs; there are 3"):
        train(Model(), stacked(starts(0, 1)), task, [1, 2, 3], SHORT)
