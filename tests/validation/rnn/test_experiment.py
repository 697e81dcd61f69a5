"""A case of the recurrent studies: starts that are paired, seeds, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

import jax
import jax.numpy as jnp

from richlazy import expect
from tests.validation.rnn import plain
from validation.rnn import experiment, measures
from validation.rnn.experiment import Networks, cases, linear_theory, load_task, made, simulate
from validation.rnn.measures import MEASURES
from validation.rnn.train import Training
from validation.study import grid_of

SMALL = Networks(("2AF",), ("rank:1", "rank:20", "gaussian"), 2, units=20, steps=200, rate=0.01)


@pytest.fixture(scope="module")
def case():
    return cases(SMALL, 4)[1]


@pytest.fixture(scope="module")
def found(case):
    return simulate(case)


def test_cases_are_tasks_by_seeds():
    grid = Networks(("2AF", "digits"), ("rank:1",), 3)
    every = cases(grid, 7)
    assert [(c["task"], c["index"]) for c in every] == [
        (task, index) for task in ("2AF", "digits") for index in range(3)
    ]
    assert {c["seed"] for c in every} == {7}
    assert grid_of(Networks, json.loads(json.dumps(every[4]))) == grid


def test_without_being_told_networks_are_those_of_the_paper():
    (case,) = cases(Networks(("2AF",), ("rank:300",), 1), 0)
    assert experiment.training_of(case) == Training(10_000, 32, 0.003, 0.9, "sgd", 100)
    model = experiment.model_of(case)
    assert (model.activation, model.leak) == ("relu", 1.0)
    (params,) = made(case, load_task("2AF"))
    assert params["recurrent"].shape == (300, 300)
    assert np.std(params["recurrent"]) == pytest.approx(1.25 / np.sqrt(300), rel=0.02)


def test_starts_of_a_seed_share_all_but_the_structure_of_the_recurrent_weights(case):
    low, full, gaussian = made(case, load_task("2AF"))
    for name in ("inputs", "readout"):
        np.testing.assert_array_equal(low[name], gaussian[name])
        np.testing.assert_array_equal(full[name], gaussian[name])
    w = gaussian["recurrent"].astype(float)
    np.testing.assert_allclose(full["recurrent"], w, atol=1e-5)
    left, _, right = np.linalg.svd(w)
    cut = np.linalg.norm(w) * np.outer(left[:, 0], right[0])
    np.testing.assert_allclose(low["recurrent"], cut, atol=1e-5)
    assert all(value.dtype == np.float32 for p in (low, full) for value in p.values())


def test_starts_do_not_depend_on_which_others_there_are(case):
    names = ["dale", "cell_types", "gradient:2", "input_output:1"]
    task = load_task("2AF")
    together = made({**case, "starts": names}, task)
    for name, params in zip(names, together, strict=True):
        (alone,) = made({**case, "starts": [name]}, task)
        for key, value in alone.items():
            np.testing.assert_array_equal(params[key], value)


def test_seeds_and_indices_make_other_networks_and_other_trials():
    every = [c for seed in (0, 1) for c in cases(SMALL, seed)]
    task = load_task("2AF")
    first = {made(c, task)[0]["recurrent"].tobytes() for c in every}
    assert len(first) == len(every)
    seeds = {experiment.seed_of(c, *more) for c in every for more in ((), (1,), (2,))}
    assert len(seeds) == 3 * len(every)


def test_directions_are_the_first_step_of_learning_and_what_links_input_and_output(case):
    task = load_task("2AF")
    (params,) = made({**case, "starts": ["gaussian"]}, task)
    model = experiment.model_of(case)
    found = experiment._directions(model, task, params, experiment.seed_of(case, 1))
    x, labels = measures.draw(task, jax.random.key(experiment.seed_of(case, 1)), 4096)

    def loss(recurrent):
        return plain.loss(model, params | {"recurrent": recurrent}, x, labels, task.scored)

    gradient = np.asarray(jax.jit(jax.grad(loss))(jnp.asarray(params["recurrent"])))
    size = np.linalg.norm(gradient)
    assert np.linalg.norm(found["gradient"] + gradient) < 1e-4 * size
    x = np.asarray(x, float).reshape(-1, x.shape[-1])
    right = np.eye(task.outputs)[np.asarray(labels).ravel()]
    inputs, outputs = x.shape[1], task.outputs
    covariance = np.cov(right.T, x.T, bias=True)[:outputs, outputs:]
    assert covariance.shape == (outputs, inputs)
    wanted = params["readout"].T @ covariance @ params["inputs"].T
    np.testing.assert_allclose(found["input_output"], wanted, atol=1e-6 * np.max(np.abs(wanted)))


def test_a_case_measures_everything_for_each_start(found):
    for name in (*MEASURES, "theory_kernel_alignment", "theory_weight_change_kept"):
        assert found[name].shape == (3,), name
        assert np.all(np.isfinite(found[name])), name
    assert found["loss"].shape == (3, 2)
    assert not found["diverged"].any()
    assert np.all(found["loss"][:, 1] < found["loss"][:, 0])  # it learns


def test_the_same_matrix_is_trained_to_the_same_network(found):
    """Rank 20 of 20 is the Gaussian itself, up to the rounding of its singular values."""
    for name in MEASURES:
        values = found[name]
        assert values[1] == pytest.approx(values[2], rel=1e-2), name
        assert name == "accuracy" or values[0] != pytest.approx(values[1], rel=1e-3), name


def test_a_case_from_json_gives_the_same_numbers(case, found):
    again = simulate(json.loads(json.dumps(case)))
    assert set(again) == set(found)
    for name, values in found.items():
        np.testing.assert_array_equal(again[name], values)


def test_the_linear_theory_is_that_of_the_singular_values(case):
    every = [params["recurrent"] for params in made(case, load_task("2AF"))]
    found = linear_theory(every)
    s = np.linalg.svd(every[2].astype(float), compute_uv=False)
    for scaled, kept in ((s / np.linalg.norm(s), ""), (s, "_kept")):
        wanted = expect(scaled, inputs=20, tasks=40)
        for name in experiment.THEORY:
            # the same bits: another rounding of s is within the stated accuracy, and no closer
            assert found[f"theory_{name}{kept}"][2] == float(getattr(wanted, name).mean), name
    # what rounding leaves of the others is no singular value
    one = expect([1.0], inputs=20, tasks=40).kernel_alignment.mean
    assert found["theory_kernel_alignment"][0] == pytest.approx(float(one), rel=1e-6)


def test_a_device_without_memory_is_one_line(case, monkeypatch):
    def full(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes")

    monkeypatch.setattr(measures, "train", full)
    line = r"has no memory for 3 networks of 20 units at once: free it, or set JAX_PLATFORMS=cpu$"
    with pytest.raises(MemoryError, match=line) as caught:
        simulate(case)
    assert "\n" not in str(caught.value)


def test_another_error_of_the_device_is_told_as_it_is(case, monkeypatch):
    def broken(*_):
        raise jax.errors.JaxRuntimeError("INTERNAL: a broken device")

    monkeypatch.setattr(measures, "train", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="a broken device"):
        simulate(case)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"task": "3AF"}, "task must be one of 2AF, DMS, CXT, digits; it is '3AF'"),
        ({"task": "3AF (0.0.2)"}, "it is '3AF'"),
        ({"starts": ["rank:21"]}, "rank must be at most 20, .*; it is 21"),
        ({"starts": ["rank:0"]}, "rank must be"),
        ({"starts": ["ring"]}, "start must be one of .*; it is 'ring'"),
        ({"starts": ["celegans"], "units": 1000}, "units must be at most 279, .*; it is 1000"),
        ({"activation": "gelu"}, "activation must be one of relu, tanh, linear; it is 'gelu'"),
        ({"optimizer": "lbfgs"}, "optimizer must be one of sgd, adam; it is 'lbfgs'"),
        ({"steps": 150}, "steps must be a multiple of window = 100 and not 0; it is 150"),
    ],
)
def test_what_is_wrong_is_one_line(case, changes, line, monkeypatch):
    monkeypatch.setattr(measures, "train", lambda *_: pytest.fail("it was trained"))
    with pytest.raises(ValueError, match=line) as caught:
        simulate({**case, **changes})
    assert "\n" not in str(caught.value)


def test_a_task_of_the_old_neurogym_is_another():
    old, new = load_task("2AF (0.0.2)"), load_task("2AF")
    assert np.any(old.inputs != new.inputs)
    assert load_task("2AF") is new  # so that its training is compiled once
