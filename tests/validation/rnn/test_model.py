"""The recurrent network and its gradient, against loops that read as the formula does."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

import jax
import jax.numpy as jnp

from tests.validation.rnn import plain
from validation.rnn import model as networks
from validation.rnn.model import Model, initial

UNITS, CHANNELS, OUTPUTS, STEPS, TRIALS = 9, 3, 4, 6, 5
EXACT = 1e-13  # of what is of size 1, in float64


@pytest.fixture
def params():
    return plain.weights(UNITS, CHANNELS, OUTPUTS)


@pytest.fixture
def data():
    return plain.trials(STEPS, TRIALS, CHANNELS, OUTPUTS)


@pytest.mark.parametrize("model", plain.MODELS, ids=str)
def test_states_are_those_of_a_loop(model, params, data):
    wanted = plain.states(model, params, data[0], np)
    with jax.enable_x64(True):
        found = networks.states(model, plain.doubles(params), jnp.asarray(data[0]))
    assert found.shape == (STEPS, TRIALS, UNITS)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=EXACT)
    single = networks.states(model, plain.single(params), jnp.asarray(data[0], jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, wanted, rtol=1e-4, atol=1e-5 * np.max(np.abs(wanted)))


def test_the_first_state_does_not_see_the_recurrent_weights(params, data):
    x = jnp.asarray(data[0], jnp.float32)
    first = networks.states(Model(), plain.single(params), x)[0]
    other = networks.states(Model(), plain.single(params | {"recurrent": np.eye(UNITS)}), x)[0]
    np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("scored", [tuple(range(STEPS)), (STEPS - 1,), (1, 4)], ids=str)
@pytest.mark.parametrize("model", plain.MODELS, ids=str)
def test_loss_and_gradient_are_those_of_a_plain_loss(model, params, data, scored):
    x, labels = data
    with jax.enable_x64(True):
        wanted, slope = jax.jit(
            jax.value_and_grad(lambda p: plain.loss(model, p, x, labels, scored))
        )(plain.doubles(params))
        found, gradient = jax.jit(
            lambda p: networks.loss_and_gradient(
                model, p, jnp.asarray(x), jnp.asarray(labels), scored
            )
        )(plain.doubles(params))
    assert float(found) == pytest.approx(float(wanted), rel=1e-12)
    assert float(found) == pytest.approx(plain.loss(model, params, x, labels, scored, np))
    assert set(gradient) == set(slope)
    for name, part in slope.items():
        size = np.linalg.norm(part)
        assert size > 0.01
        assert np.linalg.norm(gradient[name] - part) < 1e-12 * size, name


def test_steps_that_do_not_count_do_not_matter(params, data):
    x, labels = jnp.asarray(data[0], jnp.float32), jnp.asarray(data[1])
    last = (STEPS - 1,)
    found = networks.loss_and_gradient(Model(), plain.single(params), x, labels, last)
    others = labels.at[:-1].set((labels[:-1] + 1) % OUTPUTS)
    again = networks.loss_and_gradient(Model(), plain.single(params), x, others, last)
    jax.tree.map(np.testing.assert_array_equal, found, again)


def test_large_outputs_have_a_finite_loss(params, data):
    x, labels = jnp.asarray(data[0], jnp.float32), jnp.asarray(data[1])
    large = plain.single(params | {"readout": 1e4 * params["readout"]})
    loss, gradient = networks.loss_and_gradient(Model(), large, x, labels, (1, 2))
    assert np.isfinite(loss)
    assert all(np.all(np.isfinite(part)) for part in gradient.values())


def test_units_without_input_stay_silent_and_learn_nothing_recurrent():
    """Rectified units are at their kink there: the derivative at 0 is 0."""
    x, labels = jnp.zeros((STEPS, TRIALS, CHANNELS)), jnp.zeros((STEPS, TRIALS), int)
    params = plain.single(plain.weights(UNITS, CHANNELS, OUTPUTS))
    loss, gradient = networks.loss_and_gradient(Model(), params, x, labels, (0, 3))
    assert float(loss) == pytest.approx(np.log(OUTPUTS))
    assert not any(np.any(part) for part in gradient.values())


@pytest.mark.parametrize("model", plain.MODELS, ids=str)
def test_pushes_are_what_a_change_of_the_drive_does_to_the_outputs(model, params, data):
    x, _ = data
    with jax.enable_x64(True):
        arrays, x = plain.doubles(params), jnp.asarray(x)
        h, d = networks.pushes(model, arrays, x, (2, 5))

        def outputs(push):
            y = networks.states(model, arrays, x, push) @ arrays["readout"].T
            return jnp.sum(y, axis=1)  # trials do not see each other

        wanted = jax.jit(jax.jacrev(outputs))(jnp.zeros((STEPS, TRIALS, UNITS)))[jnp.array([2, 5])]
    assert d.shape == (2, OUTPUTS, STEPS, TRIALS, UNITS)
    np.testing.assert_allclose(d, wanted, atol=EXACT)
    np.testing.assert_allclose(h, plain.states(model, params, data[0], np), atol=EXACT)
    assert not np.any(d[0, :, 3:])  # nothing acts back in time


def test_initial_weights_are_uniform_by_fan_in_and_leave_the_recurrent_ones():
    recurrent = np.random.default_rng(0).standard_normal((400, 400))
    params = initial(recurrent, 16, 25, np.random.default_rng(1))
    assert {name: part.shape for name, part in params.items()} == {
        "recurrent": (400, 400),
        "inputs": (400, 16),
        "readout": (25, 400),
    }
    assert all(part.dtype == np.float32 for part in params.values())
    np.testing.assert_array_equal(params["recurrent"], recurrent.astype(np.float32))
    for name, bound in (("inputs", 1 / 4), ("readout", 1 / 20)):
        part = params[name].astype(float) / bound
        assert 0.99 < np.max(np.abs(part)) <= 1
        assert np.mean(part) == pytest.approx(0, abs=5 / np.sqrt(3 * part.size))
        assert np.mean(part**2) == pytest.approx(1 / 3, abs=5 * 0.3 / np.sqrt(part.size))


def test_a_nonlinearity_that_is_none_is_told_the_known_ones():
    with pytest.raises(ValueError, match="one of relu, tanh, linear; it is 'sigmoid'"):
        Model("sigmoid")


@pytest.mark.parametrize("leak", [0.0, -0.1, 1.1, np.nan, np.inf])
def test_a_leak_outside_its_range(leak):
    with pytest.raises(ValueError, match=r"leak must be dt/tau in \(0, 1\]; it is"):
        Model(leak=leak)
