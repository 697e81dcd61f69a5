"""The tangent kernel of W_h, against the Jacobian that it never forms."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

import jax
import jax.numpy as jnp

from tests.validation.rnn import plain
from validation.rnn.kernel import alignment, tangent_kernel
from validation.rnn.model import Model

UNITS, CHANNELS, OUTPUTS, STEPS, TRIALS = 8, 2, 3, 5, 4


@pytest.fixture
def params():
    return plain.weights(UNITS, CHANNELS, OUTPUTS)


@pytest.fixture
def x():
    return plain.trials(STEPS, TRIALS, CHANNELS, OUTPUTS)[0]


def kernel(model, params, x, steps):
    """In float64."""
    with jax.enable_x64(True):
        found = tangent_kernel(model, plain.doubles(params), jnp.asarray(x), steps)
        assert found.dtype == jnp.float64
        return np.asarray(found)


def explicit(model, params, x):
    """J J', a row of J for each (step, output, trial)."""

    def outputs(recurrent):
        y = plain.outputs(model, params | {"recurrent": recurrent}, x)
        return jnp.swapaxes(y, 1, 2).ravel()

    with jax.enable_x64(True):
        jacobian = jax.jit(jax.jacrev(outputs))(jnp.asarray(params["recurrent"]))
        jacobian = np.asarray(jacobian).reshape(len(jacobian), -1)
    return jacobian @ jacobian.T


@pytest.mark.parametrize("model", plain.MODELS, ids=str)
def test_it_is_that_of_the_explicit_jacobian(model, params, x):
    found, wanted = kernel(model, params, x, tuple(range(STEPS))), explicit(model, params, x)
    assert found.shape == (STEPS * OUTPUTS * TRIALS,) * 2
    assert np.linalg.norm(found - wanted) < 1e-13 * np.linalg.norm(wanted)


@pytest.mark.parametrize("steps", [(STEPS - 1,), (1, 3)], ids=str)
def test_some_steps_are_a_part_of_it_and_float32_its_rounding(params, x, steps):
    shape = (STEPS, OUTPUTS * TRIALS) * 2
    part = explicit(Model(), params, x).reshape(shape)[list(steps)][:, :, list(steps)]
    wanted = part.reshape(len(steps) * OUTPUTS * TRIALS, -1)
    np.testing.assert_allclose(kernel(Model(), params, x, steps), wanted, rtol=1e-10, atol=1e-12)
    single = tangent_kernel(Model(), plain.single(params), jnp.asarray(x, jnp.float32), steps)
    assert np.linalg.norm(single - wanted) < 1e-5 * np.linalg.norm(wanted)


@pytest.mark.parametrize("model", plain.MODELS, ids=str)
def test_it_is_symmetric_and_has_no_negative_eigenvalue(model, params, x):
    found = kernel(model, params, x, (2, 4))
    np.testing.assert_allclose(found, found.T, atol=1e-13 * np.max(np.abs(found)))
    values = np.linalg.eigvalsh((found + found.T) / 2)
    assert values[0] > -1e-13 * values[-1]


@pytest.mark.parametrize("model", plain.MODELS, ids=str)
def test_the_order_of_the_units_does_not_matter(model, params, x):
    order = np.random.default_rng(2).permutation(UNITS)
    moved = {
        "recurrent": params["recurrent"][np.ix_(order, order)],
        "inputs": params["inputs"][order],
        "readout": params["readout"][:, order],
    }
    found = kernel(model, params, x, (2, 4))
    np.testing.assert_allclose(kernel(model, moved, x, (2, 4)), found, rtol=1e-11, atol=1e-13)


def test_at_the_first_step_nothing_depends_on_the_recurrent_weights(params, x):
    assert not np.any(kernel(Model(), params, x, (0,)))


def test_the_order_of_trials_is_the_order_of_rows(params, x):
    found = kernel(Model(), params, x, (2, 4)).reshape(2, OUTPUTS, TRIALS, 2, OUTPUTS, TRIALS)
    turned = kernel(Model(), params, x[:, ::-1], (2, 4)).reshape(found.shape)
    np.testing.assert_allclose(turned, found[:, :, ::-1, :, :, ::-1], rtol=1e-12, atol=1e-14)


def test_the_jacobian_is_not_formed_at_the_size_of_the_studies():
    """32 trials, 8 steps, 3 outputs, 300 units: it would be 276 MB."""
    units, rows = 300, 32 * 8 * 3
    shapes = {"recurrent": (units, units), "inputs": (units, 3), "readout": (3, units)}
    params = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in shapes.items()}
    x = jax.ShapeDtypeStruct((8, 32, 3), jnp.float32)
    compiled = tangent_kernel.lower(Model(), params, x, tuple(range(8))).compile()
    memory = compiled.memory_analysis()
    assert memory.output_size_in_bytes == rows**2 * 4
    assert memory.temp_size_in_bytes < rows * units**2 * 4 / 5


def test_alignment_of_a_kernel_with_itself_with_a_multiple_and_with_an_orthogonal_one(params, x):
    k = kernel(Model(), params, x, (2, 4))
    assert alignment(k, k) == pytest.approx(1, abs=1e-14)
    assert alignment(k, 7 * k) == pytest.approx(1, abs=1e-14)
    assert alignment(k, -k) == pytest.approx(-1, abs=1e-14)
    assert alignment(np.diag([1.0, 0.0]), np.diag([0.0, 1.0])) == 0
    assert alignment(np.eye(2), np.diag([1.0, 0.0])) == pytest.approx(np.sqrt(0.5))


def test_alignment_with_no_kernel_or_no_finite_one_is_nan(params, x):
    k = kernel(Model(), params, x, (2, 4))
    silent = kernel(Model(), params | {"readout": np.zeros((OUTPUTS, UNITS))}, x, (2, 4))
    assert not np.any(silent)
    for other in (silent, np.full_like(k, np.nan), np.full_like(k, np.inf)):
        assert np.isnan(alignment(k, other))
        assert np.isnan(alignment(other, k))


def test_the_alignment_of_small_kernels_is_not_lost_to_underflow(params, x):
    k = np.asarray(tangent_kernel(Model(), plain.single(params), jnp.asarray(x, jnp.float32), (4,)))
    assert alignment(1e-30 * k, 1e-30 * k) == pytest.approx(1)
