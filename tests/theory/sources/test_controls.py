"""Controls keep what they say they keep, and change the rest."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from richlazy import connectomes
from richlazy.errors import AssumptionError
from richlazy.sources import controls

CONTROLS = [
    controls.gaussian,
    controls.shuffled,
    controls.degree_preserving,
    controls.same_singular_values,
]
SEEDS = st.integers(0, 2**32 - 1)
# Small integers, so that zeros, repeated weights and self-edges are common.
MATRICES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7),
    elements=st.sampled_from([0.0, 0.0, 1.0, 2.0, -1.5]),
)
RING = np.roll(np.eye(6), 1, axis=0)


def swappable(matrix):
    square = matrix.shape[0] == matrix.shape[1]
    return np.count_nonzero(matrix) - (np.count_nonzero(np.diag(matrix)) if square else 0)


@pytest.mark.parametrize("control", CONTROLS)
@given(matrix=MATRICES, seed=SEEDS)
def test_shape_and_norm_are_kept_and_the_argument_untouched(control, matrix, seed):
    assume(swappable(matrix) >= 2)
    before = matrix.copy()
    result = control(matrix, np.random.default_rng(seed))
    assert result.shape == matrix.shape
    assert result.dtype == np.float64
    assert not np.shares_memory(result, matrix)
    np.testing.assert_array_equal(matrix, before)
    assert np.linalg.norm(result) == pytest.approx(np.linalg.norm(matrix), rel=1e-14)
    again = control(matrix, np.random.default_rng(seed))
    np.testing.assert_array_equal(result, again)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e200])
def test_any_scale(control, scale):
    result = control(RING * scale, np.random.default_rng(3))
    assert np.linalg.norm(result / scale) == pytest.approx(np.linalg.norm(RING), rel=1e-14)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (np.zeros((3, 2)), "weights must have a nonzero entry; every one is zero"),
        (np.ones(3), "weights must have 2 dimensions"),
        ([[1.0, np.nan], [0.0, 1.0]], "weights must be finite"),
        ([[1j, 0], [0, 1]], "weights must hold real numbers"),
    ],
)
def test_what_is_no_weight_matrix_is_refused(control, weights, expected):
    with pytest.raises(ValueError, match=expected):
        control(weights, np.random.default_rng(0))


def test_gaussian_entries_are_gaussian():
    matrix = np.zeros((200, 150))
    matrix[0, 0] = 7.0
    result = controls.gaussian(matrix, np.random.default_rng(1))
    unit = result.ravel() * np.sqrt(matrix.size) / 7.0
    # Five standard errors of the mean, the third and the fourth moment of 30000 draws.
    error = 5 / np.sqrt(unit.size)
    assert abs(np.mean(unit)) < error
    assert abs(np.mean(unit**3)) < error * np.sqrt(15)
    assert abs(np.mean(unit**4) - 3) < error * np.sqrt(96)


@given(matrix=MATRICES, seed=SEEDS)
def test_shuffling_keeps_every_entry(matrix, seed):
    assume(matrix.any())
    result = controls.shuffled(matrix, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(result, axis=None), np.sort(matrix, axis=None))


def test_shuffling_puts_an_entry_anywhere():
    rng = np.random.default_rng(2)
    matrix = np.zeros((2, 3))
    matrix[0, 1] = 1.0
    draws = 6000
    counts = sum(controls.shuffled(matrix, rng) for _ in range(draws))
    # Binomial counts: five standard deviations.
    assert np.all(np.abs(counts - draws / 6) < 5 * np.sqrt(draws * 5 / 36))


@given(matrix=MATRICES, seed=SEEDS, swaps=st.integers(1, 12))
def test_swaps_keep_degrees_and_the_weights_of_every_column(matrix, seed, swaps):
    assume(swappable(matrix) >= 2)
    result = controls.degree_preserving(matrix, np.random.default_rng(seed), swaps)
    np.testing.assert_array_equal((result != 0).sum(axis=0), (matrix != 0).sum(axis=0))
    np.testing.assert_array_equal((result != 0).sum(axis=1), (matrix != 0).sum(axis=1))
    np.testing.assert_array_equal(np.sort(result, axis=0), np.sort(matrix, axis=0))
    if matrix.shape[0] == matrix.shape[1]:
        np.testing.assert_array_equal(np.diag(result), np.diag(matrix))


def test_swaps_reach_every_arrangement_equally_often():
    # Three neurons with one output and one input each on a 3 x 4 matrix (no self-edges):
    # 3! arrangements of distinct weights, each as likely.
    matrix = np.zeros((3, 4))
    matrix[[0, 1, 2], [0, 1, 3]] = 1.0, 2.0, 3.0
    rng = np.random.default_rng(4)
    draws = 3000
    seen = Counter(
        tuple(np.argmax(controls.degree_preserving(matrix, rng)[:, [0, 1, 3]], axis=0).tolist())
        for _ in range(draws)
    )
    assert set(seen) == set(itertools.permutations(range(3)))
    deviation = np.array(list(seen.values())) - draws / 6
    assert np.all(np.abs(deviation) < 5 * np.sqrt(draws * 5 / 36))


def test_swaps_reach_every_graph_without_self_edges_equally_often():
    # One output and one input each, and none to oneself: the 9 derangements of 4 neurons.
    matrix = np.roll(np.eye(4), 1, axis=0)
    rng = np.random.default_rng(5)
    draws = 4500
    seen = Counter(
        tuple(np.argmax(controls.degree_preserving(matrix, rng, 25), axis=0).tolist())
        for _ in range(draws)
    )
    derangements = {
        order
        for order in itertools.permutations(range(4))
        if all(place != index for index, place in enumerate(order))
    }
    assert set(seen) == derangements
    deviation = np.array(list(seen.values())) - draws / 9
    assert np.all(np.abs(deviation) < 5 * np.sqrt(draws * 8 / 81))


def test_a_full_matrix_exchanges_weights_within_columns_only():
    matrix = np.arange(1.0, 13.0).reshape(4, 3)
    result = controls.degree_preserving(matrix, np.random.default_rng(6))
    assert not np.array_equal(result, matrix)
    np.testing.assert_array_equal(np.sort(result, axis=0), matrix)


def test_a_ring_of_three_has_nothing_to_exchange():
    ring = np.roll(np.eye(3), 1, axis=0)
    np.testing.assert_array_equal(controls.degree_preserving(ring, np.random.default_rng(7)), ring)


@pytest.mark.parametrize(
    ("matrix", "edges"),
    [([[0, 2, 0], [0, 0, 0]], 1), (np.eye(4), 0), ([[1, 0], [5, 1]], 1)],
)
def test_fewer_than_two_edges_are_refused(matrix, edges):
    with pytest.raises(AssumptionError, match=f"at least 2 edges to swap.*it has {edges}$"):
        controls.degree_preserving(matrix, np.random.default_rng(0))


@pytest.mark.parametrize("swaps", [0, 2.5, -1])
def test_swaps_per_edge_is_a_count(swaps):
    with pytest.raises(ValueError, match="swaps_per_edge must be"):
        controls.degree_preserving(RING, np.random.default_rng(0), swaps)


def test_a_connectome_is_rewired():
    weights = connectomes.load("celegans").weights
    result = controls.degree_preserving(weights, np.random.default_rng(8))
    edges = weights != 0
    kept = np.count_nonzero(edges & (result != 0)) / np.count_nonzero(edges)
    # What chance leaves in place if partners are drawn by degree alone.
    out_degrees, in_degrees = edges.sum(axis=0), edges.sum(axis=1)
    chance = np.minimum(np.outer(in_degrees, out_degrees) / edges.sum(), 1.0)
    assert kept < 0.5
    assert kept == pytest.approx(chance[edges].mean(), rel=0.25)
    assert not np.diag(result).any()


@pytest.mark.parametrize("name", ["mushroom_body_left", "mushroom_body_right"])
def test_a_dense_connectome_is_mixed_by_the_default_number_of_swaps(name):
    weights = connectomes.load(name).weights

    def overlap(swaps):
        result = controls.degree_preserving(weights, np.random.default_rng(9), swaps)
        return np.sum(weights * result) / np.sum(weights**2)

    assert controls.degree_preserving.__defaults__ == (20,)
    assert overlap(20) == pytest.approx(overlap(60), rel=0.1)
    assert overlap(1) > 1.2 * overlap(60)


# ---------------------------------------------------------------- what recurrent networks feel

SQUARE = arrays(
    np.float64,
    st.integers(2, 7).map(lambda n: (n, n)),
    elements=st.sampled_from([0.0, 0.0, 1.0, 2.0, -1.5]),
)


def eigenvalues(matrix):
    return np.sort_complex(np.linalg.eigvals(matrix))


@given(matrix=MATRICES, seed=SEEDS)
def test_same_singular_values_are_kept_and_vectors_drawn(matrix, seed):
    assume(np.any(matrix))
    made = controls.same_singular_values(matrix, seed)
    kept = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(
        np.linalg.svd(made, compute_uv=False), kept, rtol=1e-12, atol=1e-13 * kept[0]
    )


def test_singular_vectors_are_uniform():
    """Every entry of the first vectors has mean 0 and mean square 1/N."""
    start = np.diag([1.0, 0.0, 0.0])
    made = np.array([controls.same_singular_values(start, seed) for seed in range(2000)])
    np.testing.assert_allclose(np.mean(made, axis=0), 0.0, atol=4 * np.sqrt(1 / 9 / 2000))
    np.testing.assert_allclose(np.mean(made**2, axis=0), 1 / 9, atol=4 * 0.1 / np.sqrt(2000))


@given(matrix=SQUARE, seed=SEEDS)
def test_same_eigenvalues_keep_the_characteristic_polynomial_and_the_norm(matrix, seed):
    assume(np.any(matrix))
    made = controls.same_eigenvalues(matrix, seed)
    # traces of powers: eigenvalues themselves are ill-conditioned
    size = np.linalg.norm(matrix)
    for power in range(1, len(matrix) + 1):
        wanted = np.trace(np.linalg.matrix_power(matrix, power))
        found = np.trace(np.linalg.matrix_power(made, power))
        assert found == pytest.approx(wanted, abs=1e-6 * size**power)
    radius_part = np.sum(np.abs(np.linalg.eigvals(matrix)) ** 2)
    if len(matrix) > 1 and radius_part < size**2 * (1 - 1e-9) and len(matrix) > 2:
        assert np.linalg.norm(made) == pytest.approx(size, rel=1e-7)


def test_same_eigenvalues_of_a_circuit():
    weights = connectomes.load("celegans").weights
    made = controls.same_eigenvalues(weights, 0)
    assert np.linalg.norm(made) == pytest.approx(np.linalg.norm(weights), rel=1e-9)
    for power in (1, 2, 3):
        wanted = np.trace(np.linalg.matrix_power(weights, power))
        assert np.trace(np.linalg.matrix_power(made, power)) == pytest.approx(wanted, rel=1e-6)
    # the singular values are those of chance
    assert not np.allclose(np.linalg.norm(made, 2), np.linalg.norm(weights, 2), rtol=0.05)


def test_a_normal_matrix_stays_normal():
    rotation = np.array([[0.0, -2.0], [2.0, 0.0]])
    made = controls.same_eigenvalues(rotation, 3)
    np.testing.assert_allclose(made.T @ made, 4 * np.eye(2), atol=1e-14)


@given(n=st.integers(1, 9), seed=SEEDS)
def test_half_of_the_neurons_inhibit(n, seed):
    sizes = np.random.default_rng(seed).uniform(0.5, 1.5, (n, n))
    made = controls.sign_balanced(sizes, seed)
    np.testing.assert_array_equal(np.abs(made), sizes)
    signs = np.sign(made)
    np.testing.assert_array_equal(signs, np.broadcast_to(signs[0], (n, n)))
    assert int((signs[0] < 0).sum()) == n // 2
    np.testing.assert_array_equal(controls.sign_balanced(-sizes, seed), made)


def test_every_neuron_may_inhibit():
    chosen = [controls.sign_balanced(np.ones((4, 4)), seed)[0] < 0 for seed in range(400)]
    np.testing.assert_allclose(np.mean(chosen, axis=0), 0.5, atol=4 * 0.5 / np.sqrt(400))


@given(matrix=SQUARE, seed=SEEDS)
def test_a_gaussian_at_the_same_number(matrix, seed):
    assume(np.any(matrix))
    made = controls.gaussian_of_largest_singular_value(matrix, seed)
    assert np.linalg.norm(made, 2) == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-12)
    radius = np.abs(np.linalg.eigvals(matrix)).max()
    if np.any(np.linalg.matrix_power(np.abs(matrix), len(matrix))):
        made = controls.gaussian_of_spectral_radius(matrix, seed)
        assert np.abs(np.linalg.eigvals(made)).max() == pytest.approx(radius, rel=1e-6)
    else:
        with pytest.raises(AssumptionError, match="no cycle: their spectral radius is zero"):
            controls.gaussian_of_spectral_radius(matrix, seed)


@pytest.mark.parametrize(
    "control",
    [controls.same_eigenvalues, controls.sign_balanced, controls.gaussian_of_spectral_radius],
)
def test_what_is_for_recurrent_weights_alone(control):
    with pytest.raises(ValueError, match=r"must be square .* shape is \(2, 3\)"):
        control(np.ones((2, 3)), 0)
    for scale in (1e-300, 1e200):
        made = control(RING * scale, 1) / scale
        np.testing.assert_allclose(made, control(RING, 1), rtol=1e-12, atol=1e-13)
