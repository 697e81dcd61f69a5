"""A recurrent network: what it says, what it conserves and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

from richlazy.recurrent import Network

U, W, V = np.ones((4, 2)), np.diag([0.5, 1.0, 0.0, -0.5]), np.ones((3, 4))


def test_sizes_and_gain():
    net = Network(U, W, V)
    assert (net.units, net.channels, net.outputs) == (4, 2, 3)
    assert net.gain == pytest.approx(np.sqrt(1.5 / 4))
    assert repr(net) == "Network(units=4, channels=2, outputs=3, gain=0.6124)"
    assert repr(Network(U, W, V, leak=0.5)).endswith("gain=0.6124, leak=0.5)")
    assert "gain=not measured" in repr(Network(U, aslinearoperator(W), V))


@pytest.mark.parametrize("kind", [np.array, csr_array])
def test_weights_changed_later_do_not_change_the_network(kind):
    w = kind([[0.0, 2.0], [1.0, 0.0]])
    net = Network(np.ones((2, 1)), w, np.ones((1, 2)))
    w *= 3.0
    w[0, 1] = 7.0
    assert net.recurrent[0, 1] == 2.0


def test_what_is_conserved_is_the_same_of_every_kind():
    rng = np.random.default_rng(0)
    u, w, v = rng.standard_normal((4, 2)), rng.standard_normal((4, 4)), rng.standard_normal((3, 4))
    wanted = u @ u.T + w @ w.T - w.T @ w - v.T @ v
    for kind in (w, csr_array(w), aslinearoperator(w)):
        np.testing.assert_allclose(Network(u, kind, v).conserved(), wanted, atol=1e-13)


def test_random_directions_have_the_norms_asked_for():
    net = Network.random(W, channels=2, outputs=3, input_norm=2.0, readout_norm=0.5, rng=0)
    np.testing.assert_allclose(np.linalg.norm(net.inputs, axis=0), 2.0)
    np.testing.assert_allclose(np.linalg.norm(net.readout, axis=1), 0.5)
    again = Network.random(W, channels=2, outputs=3, rng=np.random.default_rng(0))
    np.testing.assert_allclose(again.inputs, net.inputs / 2.0)
    assert not np.array_equal(Network.random(W, channels=2, rng=1).inputs, again.inputs)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"inputs": np.ones(4)}, "^inputs must have 2 dimensions"),
        ({"inputs": np.ones((3, 2))}, r"^inputs \(units, channels\) must have 4 rows"),
        ({"inputs": np.ones((4, 0))}, "^inputs must not be empty"),
        ({"inputs": np.full((4, 1), np.nan)}, "^inputs must be finite"),
        ({"inputs": np.full((4, 1), 1e-90)}, "^inputs has entries up to 1e-90"),
        ({"recurrent": np.ones((4, 3))}, "^recurrent must be square"),
        ({"recurrent": 1j * W}, "^recurrent must hold real numbers"),
        ({"recurrent": np.full((4, 4), 1e80)}, "^recurrent has entries up to 1e.80"),
        ({"readout": np.ones((3, 3))}, r"^readout \(outputs, units\) must have 4 columns"),
        ({"readout": [["a"] * 4]}, "^readout must hold real numbers"),
        ({"readout": np.full((1, 4), 1e80)}, "^readout has entries"),
        ({"leak": 0.0}, r"^leak must lie in \(0, 1\]; it is 0"),
        ({"leak": 1.1}, "^leak must lie"),
        ({"leak": [0.5]}, "^leak must be one number"),
        ({"leak": None}, "^leak must hold real numbers"),
    ],
)
def test_bad_weights_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Network(**{"inputs": U, "recurrent": W, "readout": V, **wrong})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"channels": 0}, "^channels must be at least 1"),
        ({"outputs": 1.5}, "^outputs must be an integer"),
        ({"input_norm": -1.0}, "^input_norm must be >= 0"),
        ({"readout_norm": np.inf}, "^readout_norm must be finite"),
        ({"rng": None}, "^rng must be a seed"),
        ({"leak": 2.0}, "^leak must lie"),
    ],
)
def test_bad_random_networks_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Network.random(W, **{"rng": 0, **wrong})


def test_a_random_network_has_one_channel_and_output_of_norm_one_and_no_leak_unless_told():
    net = Network.random(0.5 * np.eye(6), rng=0)
    assert (net.channels, net.outputs, net.leak) == (1, 1, 1.0)
    assert np.linalg.norm(net.inputs) == pytest.approx(1.0, rel=1e-14)
    assert np.linalg.norm(net.readout) == pytest.approx(1.0, rel=1e-14)
    assert Network(net.inputs, net.recurrent, net.readout).leak == 1.0
