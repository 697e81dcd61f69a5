"""JAX networks: the kernel against the explicit Jacobian, training against the theory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import richlazy as rl
from richlazy.runs import probes
from tests.docs.blocks import of_module

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

from richlazy.runs.jax import tangent_kernel, track  # noqa: E402

RNG = np.random.default_rng(0)
PRECISIONS = {"float64": 1e-12, "float32": 1e-6}
LIMIT = 6000.0  # bytes: gradients in several blocks


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def perceptron(params, x):
    h = jnp.tanh(x @ params[0]["w"] + params[0]["b"])
    return h @ params[1]["w"] + params[1]["b"]


def hidden(params, x):
    return jnp.tanh(x @ params[0]["w"] + params[0]["b"])


def made(dtype="float64"):
    rng = np.random.default_rng(3)
    sizes = (5, 8, 3)
    params = [
        {"w": jnp.asarray(rng.standard_normal((a, b)), dtype), "b": jnp.zeros(b, dtype)}
        for a, b in pairwise(sizes)
    ]
    return params, jnp.asarray(rng.standard_normal((7, 5)), dtype)


def moved(params):
    return jax.tree_util.tree_map(lambda a: 0.7 * a + 0.1, params)


def explicit(apply, params, probe, outputs):
    parts = jax.tree_util.tree_leaves(jax.jacrev(apply)(params, probe))
    answer = np.shape(apply(params, probe))
    j = np.concatenate([np.asarray(g, float).reshape(*answer, -1) for g in parts], axis=-1)
    if outputs == "trace":
        return np.einsum("iop,jop->ij", j, j)
    j = j.reshape(-1, j.shape[-1]) if outputs == "full" else j[:, outputs]
    return j @ j.T


@pytest.mark.parametrize("outputs", ["trace", "full", 1])
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_the_kernel_is_that_of_the_jacobian(dtype, outputs):
    params, probe = made(dtype)
    expected = explicit(perceptron, params, probe, outputs)
    for memory in (1e9, LIMIT * (2 if outputs == "full" else 1)):
        found = tangent_kernel(perceptron, params, probe, outputs=outputs, memory=memory)
        assert np.abs(found - expected).max() <= PRECISIONS[dtype] * np.abs(expected).max()


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_kernel_alignment_is_that_of_the_jacobians(dtype):
    params, probe = made(dtype)
    tracker = track(perceptron, params, probe)
    tracker(0, params)
    tracker(1, moved(params), loss=0.5)
    kernels = (explicit(perceptron, p, probe, "trace") for p in (params, moved(params)))
    expected = rl.kernel_alignment(*kernels)
    assert abs(tracker.run["kernel_alignment"][-1] - expected) <= PRECISIONS[dtype]


def test_what_is_recorded():
    params, probe = made()
    targets = RNG.standard_normal((7, 3))
    tracker = track(perceptron, params, probe, targets=targets, hidden=hidden)
    tracker(0, params)
    tracker(2, moved(params))
    run = tracker.run
    assert list(run.start.weights) == ["0.b", "0.w", "1.b", "1.w"]
    np.testing.assert_allclose(run.latest.activations["hidden"], hidden(moved(params), probe))
    kernel = explicit(perceptron, moved(params), probe, "trace")
    assert run["target_alignment"][-1] == pytest.approx(rl.target_alignment(kernel, targets))


@pytest.mark.parametrize("outputs", ["trace", "full", 1])
def test_a_sketch_is_within_its_error(outputs):
    params, probe = made()
    targets, runs = RNG.standard_normal((7, 3)), []
    for directions in (None, 400):
        tracker = track(
            perceptron, params, probe, targets=targets, outputs=outputs, directions=directions
        )
        tracker(0, params)
        tracker(1, moved(params))
        runs.append(tracker.run)
    exact, sketch = runs
    for name in ("kernel_alignment", "target_alignment"):
        error = sketch[f"{name}_standard_error"][-1]
        assert abs(sketch[name][-1] - exact[name][-1]) < 4.0 * error < 0.3


def test_a_single_array_is_a_network_too():
    run = track(lambda w, x: x @ w, jnp.ones(3), jnp.eye(3))
    run(0, jnp.ones(3))
    assert list(run.run.start.weights) == ["params"]


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (lambda w, x: jnp.ones((2, 3, 4)) * w[0], r"it gives \(2, 3, 4\)"),
        (lambda w, x: (x @ w)[:2], "probe holds 3 samples, apply answers 2"),
        (lambda w, x: (x - x.mean(0)) @ w, "depends on the others of the batch"),
    ],
)
def test_networks_that_have_no_such_kernel(apply, message):
    with pytest.raises(ValueError, match=message):
        track(apply, jnp.ones(3), jnp.asarray(RNG.standard_normal((3, 3))))


def test_what_is_asked_wrongly():
    params, probe = made()
    with pytest.raises(ValueError, match="params must hold an array"):
        track(perceptron, [], probe)
    with pytest.raises(ValueError, match=r"write tracker\(step, params\)"):
        track(perceptron, params, probe)(0)
    with pytest.raises(ValueError, match="are above the limit of"):
        tangent_kernel(perceptron, params, probe, memory=500.0)


def test_a_linear_network_follows_the_theory_within_its_steps():
    """The worked example: two layers, trained by plain gradient descent."""
    task = rl.Task(RNG.standard_normal((2, 4)) / 2.0)
    x, wanted = jnp.asarray(probes(task)), jnp.asarray(task.cov_yx.T)
    first, second = RNG.standard_normal((6, 4)) / 3.0, RNG.standard_normal((2, 6)) / 3.0

    def apply(params, inputs):
        return inputs @ params["first"].T @ params["second"].T

    def loss(params):
        return 0.5 * jnp.sum((wanted - apply(params, x)) ** 2)

    slope, worst = jax.jit(jax.value_and_grad(loss)), []
    for rate in (0.02, 0.01):
        params = {"first": jnp.asarray(first), "second": jnp.asarray(second)}
        tracker = track(apply, params, x, learning_rate=rate, outputs="full")
        for step in range(round(2.0 / rate) + 1):
            value, change = slope(params)
            if step % round(0.5 / rate) == 0:
                tracker(step, params, loss=float(value))
            params = jax.tree_util.tree_map(lambda a, g, r=rate: a - r * g, params, change)
        worst.append(tracker.run.compare(task, layers=["first", "second"]).worst)
    for measure, coarse in worst[0].items():
        assert worst[1][measure] < 0.01, measure
        assert 1.7 < coarse / worst[1][measure] < 2.3, measure


@pytest.mark.parametrize("block", of_module("richlazy.runs.jax"), ids=str)
def test_the_blocks_of_the_pages_run(block):
    params, probe = made()
    given = {"apply": perceptron, "params": params, "probe": probe, "hidden": hidden}
    names = {**given, "step": 7, "loss": 1.0}
    exec(block.text, names)  # noqa: S102
    assert len(names["tracker"].run) == 1
