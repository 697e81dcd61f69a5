"""What is measured of a trained run, against its definition, and where runs diverged."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

import jax
import jax.numpy as jnp

from tests.validation.rnn import plain
from validation.rnn import measures
from validation.rnn.measures import (
    ALONG,
    MEASURES,
    RANKS,
    at_loss,
    evaluate,
    run,
    settled_loss,
    watched,
)
from validation.rnn.model import Model
from validation.rnn.tasks import Task
from validation.rnn.train import Training, stacked, train

UNITS = 6
SHORT = Training(steps=40, batch=5, rate=0.1, window=10)


@pytest.fixture(scope="module")
def task():
    return plain.tiny()


def start(seed=0, **changes):
    return plain.single(plain.weights(UNITS, 2, 2, seed) | changes)


@pytest.fixture(scope="module")
def found(task):
    """Three runs, the second of which diverges."""
    every = [start(0), start(1), start(2)]
    every[1]["recurrent"] = every[1]["recurrent"] * np.float32(1e25)
    return run(Model(), task, every, 3, SHORT)


def test_every_measure_is_a_number_for_each_run(found):
    names = [f"{kind}_{when}" for kind in RANKS for when in ("before", "after")]
    along = {f"{name}_along" for name in ALONG}
    assert set(found) == {*MEASURES, *names, *along, "loss", "change", "path", "diverged"}
    for name, values in found.items():
        shape = (3, 4) if name in ("loss", "change", "path") else (3,)
        shape = (3, len(watched(SHORT))) if name in along else shape
        assert (values.shape, values.dtype) == (shape, np.float64), name
        assert np.all(np.isfinite(values[[0, 2]])), name


def test_a_run_that_diverged_has_none_after_it_began(found):
    assert found["diverged"].tolist() == [0, 1, 0]
    before = {f"{kind}_before" for kind in RANKS}
    for name in set(found) - {"diverged"} - before:
        assert np.all(np.isnan(found[name][1])), name
    for name in before:
        assert np.isfinite(found[name][1]), name


def test_change_path_and_loss_are_those_of_training(task, found):
    every = [start(0), start(1), start(2)]
    trained = train(Model(), stacked(every), task, [3] * 3, SHORT)
    for name, curve in (("weight_change", trained.change), ("path_length", trained.path)):
        np.testing.assert_allclose(found[name][[0, 2]], curve[[0, 2], -1], rtol=1e-4)
    norms = [np.linalg.norm(params["recurrent"]) for params in every]
    relative = (trained.change[:, -1] / norms)[[0, 2]]
    np.testing.assert_allclose(found["relative_change"][[0, 2]], relative, rtol=1e-4)
    moved = np.linalg.norm(trained.params["recurrent"][0] - every[0]["recurrent"])
    assert found["weight_change"][0] == pytest.approx(moved, rel=1e-4)
    np.testing.assert_allclose(found["final_loss"], found["loss"][:, -1])


def test_what_did_not_learn_is_aligned_in_full(task):
    still = Training(steps=10, batch=5, rate=0.0, window=10)
    found = run(Model(), task, [start(0), start(1)], 3, still)
    for name in ("representation_alignment", "kernel_alignment", "sign_similarity"):
        np.testing.assert_allclose(found[name], 1, atol=1e-12)
    for name in ("weight_change", "relative_change", "path_length"):
        np.testing.assert_array_equal(found[name], 0)
    for kind in RANKS:
        np.testing.assert_array_equal(found[f"{kind}_before"], found[f"{kind}_after"])


@pytest.mark.parametrize("model", [Model(), Model("tanh", 0.5), Model("linear")], ids=str)
def test_alignments_and_signs_are_those_of_their_definition(task, model):
    first, last = start(0), start(1)
    x = np.asarray(plain.trials(3, 40, 2, 2)[0], np.float32)
    labels = np.random.default_rng(0).integers(0, 2, x.shape[:2])
    probe = measures._Probe(model, task, jnp.asarray(x), jnp.asarray(labels))
    found = measures._compared(probe.seen(first), probe.seen(last))
    h = [plain.states(model, params, x, np)[task.decision] for params in (first, last)]
    gram = [part @ part.T for part in h]
    size = np.linalg.norm(gram[0]) * np.linalg.norm(gram[1])
    wanted = np.trace(gram[0] @ gram[1]) / size
    assert found["representation_alignment"] == pytest.approx(wanted, rel=1e-5)
    assert found["sign_similarity"] == np.mean(np.sign(h[0]) == np.sign(h[1]))

    def outputs(recurrent, params):
        few = x[:, :32]  # of the trials
        y = plain.outputs(model, params | {"recurrent": recurrent}, few)
        return jnp.ravel(y[jnp.array(task.scored)])

    slopes = [
        np.asarray(jax.jacrev(outputs)(jnp.asarray(p["recurrent"]), p), float).reshape(-1, UNITS**2)
        for p in (first, last)
    ]
    kernels = [j @ j.T for j in slopes]
    size = np.linalg.norm(kernels[0]) * np.linalg.norm(kernels[1])
    assert found["kernel_alignment"] == pytest.approx(np.sum(kernels[0] * kernels[1]) / size)
    assert found["kernel_alignment"] < 0.99
    for when, kernel in zip(("before", "after"), kernels, strict=True):
        right = np.zeros((len(task.scored), 2, 32))
        for k, step in enumerate(task.scored):
            for trial in range(32):
                right[k, labels[step, trial], trial] = 1.0
        s = np.swapaxes(right - right.mean(axis=2, keepdims=True), 1, 2).ravel()
        target = s @ kernel @ s / (np.linalg.norm(kernel) * (s @ s))
        assert found[f"target_alignment_{when}"] == pytest.approx(target, rel=1e-5)


def test_measures_along_training_begin_at_the_start_and_end_at_the_end(found):
    assert watched(SHORT) == [0, 10, 20, 30, 40]
    for name in ALONG:
        course = found[f"{name}_along"][[0, 2]]
        assert np.all(np.diff(course, axis=1) != 0)
        if name == "target_alignment":
            begin = found["target_alignment_before"][[0, 2]]
            end = found["target_alignment_after"][[0, 2]]
        else:
            begin, end = 1.0, found[name][[0, 2]]
        np.testing.assert_allclose(course[:, 0], begin, rtol=1e-12)
        np.testing.assert_allclose(course[:, -1], end, rtol=1e-12)


def test_measures_along_training_are_those_of_a_shorter_run(task, found):
    shorter = Training(steps=20, batch=5, rate=0.1, window=10)
    other = run(Model(), task, [start(0)], 3, shorter)
    for name in ALONG:
        ends = found[f"{name}_along"][0, 2], other[f"{name}_along"][0, -1]
        assert ends[0] == pytest.approx(ends[1], rel=1e-5)


def test_signs_and_missing_connections_are_kept_while_training(task):
    weights = start(0)
    sparse = weights | {"recurrent": weights["recurrent"] * (np.arange(36).reshape(6, 6) % 3 > 0)}
    free, kept = run(Model(), task, [sparse, sparse], 3, SHORT, [False, True])["weight_change"]
    alone = run(Model(), task, [sparse], 3, SHORT)["weight_change"][0]
    assert free == pytest.approx(alone, rel=1e-5)
    assert 0 < kept < 0.99 * free


def test_effective_ranks_of_known_matrices():
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((UNITS, UNITS)))[0]
    for kind, value in measures._ranks(3 * turn.astype(np.float32), "after").items():
        assert value == pytest.approx(UNITS, rel=1e-5), kind
    outer = np.outer(turn[0], turn[1]).astype(np.float32)
    for kind, value in measures._ranks(outer, "before").items():
        assert value == pytest.approx(1, abs=1e-4), kind


def test_loss_and_accuracy_of_images_are_those_held_out():
    x, labels = plain.trials(3, 7, 2, 2)
    x, labels = np.swapaxes(x, 0, 1).astype(np.float32), labels.T.astype(np.int32)
    held_out = Task("held out", x, np.zeros((3, 2), np.float32), labels, (2,), 2, 2)
    params = start(0)
    loss, accuracy = evaluate(Model(), plain.tiny(held_out), params, jax.random.key(0))
    y = plain.outputs(Model(), params, np.swapaxes(x, 0, 1), np)
    assert accuracy == pytest.approx(np.mean(np.argmax(y[2], axis=1) == labels[:, 2]))
    wanted = plain.loss(Model(), params, np.swapaxes(x, 0, 1), labels.T, (1, 2), np)
    assert loss == pytest.approx(wanted, rel=1e-5)


def test_of_a_task_with_noise_they_are_those_of_new_trials(task):
    """Against the conditions themselves where there is no noise to speak of."""
    quiet = Task(**vars(task) | {"noise": np.full_like(task.noise, 1e-7)})
    params = start(0)
    loss, accuracy = evaluate(Model(), quiet, params, jax.random.key(0))
    x = np.swapaxes(task.inputs, 0, 1)
    each, right = [], []
    for c in range(4):
        one = x[:, c : c + 1], task.labels[c : c + 1].T
        each.append(plain.loss(Model(), params, *one, task.scored, np))
        y = plain.outputs(Model(), params, one[0], np)[task.decision]
        right.append(np.argmax(y) == task.labels[c, task.decision])
    spread = np.std(each) / np.sqrt(2048)
    assert abs(loss - np.mean(each)) < 5 * spread
    assert abs(accuracy - np.mean(right)) < 5 * 0.5 / np.sqrt(2048)
    assert evaluate(Model(), quiet, params, jax.random.key(0)) == (loss, accuracy)
    assert evaluate(Model(), quiet, params, jax.random.key(1)) != (loss, accuracy)


@pytest.mark.parametrize(("windows", "last"), [(1, 1), (4, 1), (10, 2), (50, 10), (400, 20)])
def test_the_settled_loss_is_of_a_fifth_at_most(windows, last):
    loss = np.random.default_rng(0).random((3, windows))
    np.testing.assert_allclose(settled_loss(loss), loss[:, -last:].mean(axis=1))


def test_values_at_a_loss_between_windows():
    """A loss that falls exponentially crosses where the logarithm says."""
    at = np.arange(8.0)
    loss, values = np.exp(-np.array([[0.5], [1.0]]) * at), np.array([at, 10 * at])
    level = np.exp(-1.7)
    np.testing.assert_allclose(at_loss(loss, values, level), [3.4, 17.0], rtol=1e-12)


def test_values_at_a_loss_that_is_there_at_once_once_never_or_again():
    loss = np.array([[0.5, 0.4, 0.3], [2.0, 1.0, 0.5], [3.0, 2.0, 1.5], [2.0, 1.0, 3.0]])
    values = np.tile([1.0, 2.0, 3.0], (4, 1))
    np.testing.assert_allclose(at_loss(loss, values, 1.0), [1.0, 2.0, np.nan, 2.0])
    np.testing.assert_array_equal(at_loss(loss, values, np.nan), np.full(4, np.nan))
    stopped = np.array([[2.0, np.nan, np.nan]])
    np.testing.assert_array_equal(at_loss(stopped, values[:1], 1.0), [np.nan])
