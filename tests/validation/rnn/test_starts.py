"""Starts of recurrent networks: their norm, their structure, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

from richlazy import connectomes
from richlazy.start.spectrum import effective_rank, of
from validation.rnn import starts
from validation.rnn.starts import STARTS, make

SIZES = st.integers(8, 40)
SEEDS = st.integers(0, 2**32 - 1)


def start_of(units, seed=0):
    return starts.gaussian(units, np.random.default_rng([seed, 0]))


def fresh(seed=0):
    return np.random.default_rng([seed, 1])


def of_low_rank(units, rank, seed=0):
    left, right = np.random.default_rng([seed, 2]).standard_normal((2, units, rank))
    return left @ right.T


def test_the_gaussian_has_its_gain():
    w = start_of(200)
    assert w.dtype == np.float64
    assert np.linalg.norm(w) == pytest.approx(1.25 * np.sqrt(200), rel=0.02)
    assert np.max(np.abs(np.linalg.eigvals(w))) == pytest.approx(1.25, rel=0.15)
    twice = starts.gaussian(200, np.random.default_rng([0, 0]), gain=2.5)
    np.testing.assert_allclose(twice, 2.0 * w, rtol=1e-14)


@pytest.mark.parametrize("name", [*STARTS, "rank:3", "power_law:0.5", "gradient:2"])
def test_starts_are_float64_of_one_norm_paired_and_leave_the_gaussian_alone(name):
    w = start_of(60)
    kept = w.copy()
    directions = {"gradient": of_low_rank(60, 4).astype(np.float32)}
    first, again = (make(name, w, fresh(), directions) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(w, kept)
    assert first is not w
    assert first.dtype == np.float64
    assert first.shape == (60, 60)
    assert np.linalg.norm(first) == pytest.approx(np.linalg.norm(w), rel=1e-12)


def test_every_start_is_another():
    w = start_of(60)
    assert len({make(name, w, fresh()).tobytes() for name in STARTS}) == len(STARTS)
    assert not any(np.shares_memory(STARTS[name](w, fresh()), w) for name in STARTS)


@given(SIZES, SEEDS, st.data())
def test_cuts_keep_the_largest_singular_vectors(units, seed, data):
    rank = data.draw(st.integers(1, units))
    w = start_of(units, seed)
    cut = starts.of_rank(w, rank)
    values = of(w)[:rank]
    expected = np.zeros(units)
    expected[:rank] = values * np.linalg.norm(w) / np.linalg.norm(values)
    np.testing.assert_allclose(of(cut), expected, atol=1e-12 * expected[0])
    # What is cut off is orthogonal to what is left, on both sides.
    rest = w - cut * np.linalg.norm(values) / np.linalg.norm(w)
    for product in (rest.T @ cut, rest @ cut.T):
        np.testing.assert_allclose(product, 0.0, atol=1e-12 * np.linalg.norm(w) ** 2)
    if rank == units:
        np.testing.assert_allclose(cut, w, atol=1e-12 * np.linalg.norm(w))


@given(SIZES, SEEDS, st.floats(0.0, 3.0))
def test_power_laws_have_their_spectrum_and_the_gaussian_vectors(units, seed, exponent):
    w = start_of(units, seed)
    soft = starts.power_law(w, exponent)
    values = of(soft)
    np.testing.assert_allclose(values / values[0], np.arange(1.0, units + 1.0) ** -exponent)
    left, _, right = np.linalg.svd(w)
    middle = left.T @ soft @ right.T
    np.testing.assert_allclose(middle, np.diag(values), atol=1e-11 * values[0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rank", [1, 4])
def test_aligned_starts_are_the_cut_of_the_direction(rank, dtype):
    direction = of_low_rank(30, 4).astype(dtype)
    start = starts.aligned(direction, rank, 2.0)
    assert np.linalg.norm(start) == pytest.approx(2.0)
    assert effective_rank(start, "numerical") == rank
    cosine = np.sum(start * direction) / np.linalg.norm(direction) / 2.0
    kept = of(direction)[:rank]
    assert cosine == pytest.approx(np.linalg.norm(kept) / np.linalg.norm(direction), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_rank_beyond_the_direction_is_refused(dtype):
    direction = of_low_rank(30, 4).astype(dtype)
    with pytest.raises(ValueError, match=r"rank must be at most 4.*direction.*it is 5.*1 to 4"):
        starts.aligned(direction, 5, 1.0)


def test_input_output_runs_from_inputs_to_outputs():
    rng = np.random.default_rng(3)
    w_x, w_o = rng.standard_normal((20, 3)), rng.standard_normal((2, 20))
    cov_yx = rng.standard_normal((2, 3))
    direction = starts.input_output(w_x, w_o, cov_yx)
    for post, pre in ((0, 19), (7, 4)):
        parts = [w_o[y, post] * cov_yx[y, x] * w_x[pre, x] for y in range(2) for x in range(3)]
        assert direction[post, pre] == pytest.approx(sum(parts))
    assert effective_rank(direction, "numerical") == 2
    # One step on a linear readout of W_h W_x x: the loss falls with the weights along it.
    assert np.trace(cov_yx.T @ w_o @ direction @ w_x) > 0


def test_blocks_have_means_that_cancel_and_their_share_of_the_norm():
    units, types = 42, 4  # not a multiple
    w = start_of(units)
    of_unit = np.arange(units) * types // units
    pure = starts.cell_types(w, fresh(), strength=1.0)
    assert np.ptp(np.bincount(of_unit)) <= 1
    for i in range(types):
        for j in range(types):
            block = pure[np.ix_(of_unit == i, of_unit == j)]
            np.testing.assert_allclose(block, block[0, 0])
    np.testing.assert_allclose(np.sum(pure, axis=1), 0.0, atol=1e-12)
    assert effective_rank(pure, "numerical") == types - 1
    np.testing.assert_allclose(starts.cell_types(w, fresh(), strength=0.0), w)
    mixed = starts.cell_types(w, fresh(), strength=0.3)
    unit = (w / np.linalg.norm(w), pure / np.linalg.norm(pure))
    coefficients = np.linalg.lstsq(np.stack([m.ravel() for m in unit], 1), mixed.ravel())[0]
    share = coefficients**2 / np.sum(coefficients**2)
    np.testing.assert_allclose(share, [0.7, 0.3])


@given(SIZES, SEEDS, st.sampled_from([0.2, 0.5, 0.8]))
def test_dale_has_one_sign_a_column_and_balance(units, seed, excitatory):
    w = start_of(units, seed)
    balanced = starts.dale(w, excitatory)
    count = round(excitatory * units)
    assert np.all(balanced[:, :count] > 0)
    assert np.all(balanced[:, count:] < 0)
    np.testing.assert_allclose(np.mean(np.sum(balanced, axis=1)), 0.0, atol=1e-12)
    for columns in (slice(0, count), slice(count, None)):
        ratio = np.abs(balanced / w)[:, columns]
        np.testing.assert_allclose(ratio, ratio[0, 0])


def slow_chain_motifs(weights):
    """By its definition, three loops."""
    n = len(weights)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    mean = np.mean([weights[i, j] for i, j in pairs])
    square = np.mean([(weights[i, j] - mean) ** 2 for i, j in pairs])
    chained = [
        (weights[i, j] - mean) * (weights[j, k] - mean)
        for i, j in pairs
        for k in range(n)
        if k not in (i, j)
    ]
    return np.mean(chained) / square


@given(st.integers(3, 7), SEEDS, st.floats(-5.0, 5.0))
def test_the_chain_statistic_is_its_definition(units, seed, mean):
    w = start_of(units, seed) + mean
    assert starts.chain_motifs(w) == pytest.approx(slow_chain_motifs(w), rel=1e-9, abs=1e-12)


def test_the_chain_statistic_counts_chains():
    relay, apart = np.zeros((2, 30, 30))
    relay[0, 1:15] = relay[15:, 0] = 1.0  # all through unit 0
    apart[0, 1:15] = apart[16:, 15] = 1.0  # as many edges, converging on 0, diverging from 15
    assert starts.chain_motifs(relay) > 0 > starts.chain_motifs(apart)
    assert starts.chain_motifs(relay) == pytest.approx(starts.chain_motifs(relay.T))


def test_chains_are_over_and_under_represented_against_chance():
    units, seeds = 100, 20
    found = {
        name: np.array(
            [starts.chain_motifs(make(name, start_of(units, s), fresh(s))) for s in range(seeds)]
        )
        for name in ("gaussian", "chains_over", "chains_under")
    }
    chance = found["gaussian"]
    sd = np.std(chance)
    assert sd == pytest.approx(units**-1.5, rel=0.5)
    assert abs(np.mean(chance)) < 3.0 * sd / np.sqrt(seeds)
    assert np.min(found["chains_over"]) > np.max(chance) + 5.0 * sd
    assert np.max(found["chains_under"]) < np.min(chance) - 5.0 * sd


@pytest.mark.parametrize("tau", [-0.5, -0.2, -0.02, 0.02, 0.2, 0.5])
def test_chains_are_as_many_as_asked(tau):
    found = [starts.chain_motifs(starts.chains(start_of(100, s), fresh(s), tau)) for s in range(20)]
    # Two orders: chance in every draw, and what finite N leaves of diagonals and pairs.
    error = np.std(found) / np.sqrt(20.0) * 4.0 + 3.0 * abs(tau) / 100.0
    assert abs(np.mean(found) - tau) < error < abs(tau)


def test_over_and_under_differ_in_a_sign_alone():
    w = start_of(100)
    over, under = (starts.chains(w, fresh(), tau) for tau in (0.1, -0.1))
    np.testing.assert_allclose(starts.chains(w, fresh(), 0.0), w)

    def centred(m):  # without effects of rows and columns
        return m - np.mean(m, axis=0) - np.mean(m, axis=1, keepdims=True) + np.mean(m)

    scale = [np.linalg.norm(centred(m)) for m in (w, over, under)]
    plain, more, less = (m / s for m, s in zip((w, over, under), scale, strict=True))
    np.testing.assert_allclose(centred(more), centred(plain), atol=1e-14)
    np.testing.assert_allclose(centred(less), centred(plain), atol=1e-14)
    rows, columns = 0.5 * (more + less) - plain, 0.5 * (more - less)
    np.testing.assert_allclose(rows, rows.mean(axis=1, keepdims=True) * np.ones(100), atol=1e-14)
    np.testing.assert_allclose(rows, columns.T, atol=1e-14)
    assert np.sum(rows**2) > 0.1  # share 0.1 to G's 0.8


@pytest.mark.parametrize("name", starts.CIRCUITS)
def test_a_whole_connectome_is_itself(name):
    whole = connectomes.load(name).weights
    np.testing.assert_array_equal(starts.measured(name, len(whole)), whole)
    made = make(name, start_of(len(whole)), fresh())
    np.testing.assert_allclose(made / np.linalg.norm(made), whole / np.linalg.norm(whole))


def test_a_part_of_a_connectome_is_its_strongest_neurons():
    found = connectomes.load("celegans")
    strength = found.weights.sum(axis=0) + found.weights.sum(axis=1)
    order = sorted(range(279), key=lambda i: (-strength[i], found.neurons[i]))
    cuts = [n for n in range(20, 279) if strength[order[n - 1]] == strength[order[n]]]
    assert cuts  # ties that a cut divides
    for n in (2, 50, cuts[0], cuts[-1], 278):
        kept = sorted(order[:n])
        np.testing.assert_array_equal(
            starts.measured("celegans", n), found.weights[np.ix_(kept, kept)]
        )


@pytest.mark.parametrize("signs", ["", "/signed"])
@pytest.mark.parametrize("name", starts.CIRCUITS)
def test_controls_keep_what_they_say(name, signs):
    w = start_of(100)
    own, shuffled, degrees = (
        make(name + control + signs, w, fresh()) for control in ("", "/shuffled", "/degrees")
    )
    for control in (shuffled, degrees):
        assert np.count_nonzero(control != own) > 50
        np.testing.assert_allclose(
            np.sort(np.abs(control), axis=None), np.sort(np.abs(own), axis=None)
        )
    for axis in (0, 1):
        np.testing.assert_array_equal(
            np.count_nonzero(degrees, axis=axis), np.count_nonzero(own, axis=axis)
        )
    np.testing.assert_allclose(np.sort(degrees, axis=0), np.sort(own, axis=0))
    for m in (own, shuffled, degrees):
        assert bool(np.all(m >= 0)) == (signs == "")


@pytest.mark.parametrize("control", ["", "/shuffled", "/degrees"])
def test_signs_are_those_of_presynaptic_neurons_and_keep_the_spectrum(control):
    w = start_of(100)
    names = (f"celegans{control}", f"celegans{control}/signed", "celegans/signed")
    plain, signed, own = (make(name, w, fresh()) for name in names)
    np.testing.assert_allclose(np.abs(signed), plain)
    np.testing.assert_allclose(of(signed), of(plain), atol=1e-12 * of(plain)[0])
    of_neuron = np.sign(np.sum(own, axis=0))
    assert 30 < np.count_nonzero(of_neuron > 0) < 70
    assert np.all(signed * of_neuron >= 0)  # of one neuron, and in every control


@given(st.integers(30, 60), SEEDS)
def test_structure_lowers_the_effective_rank(units, seed):
    w = start_of(units, seed)
    for name in ("dale", "celegans", "mushroom_body_left", "power_law:1", "rank:3"):
        assert effective_rank(make(name, w, fresh(seed))) < 0.8 * effective_rank(w)


@pytest.mark.parametrize(
    ("name", "units", "message"),
    [
        ("worm", 20, r"start must be one of gaussian, .*celegans/shuffled.*, gradient:R.*'worm'"),
        ("gradient", 20, "'gradient' must have a number behind its colon"),
        ("rank:many", 20, "'rank:many' must have a number"),
        ("rank:0", 20, "rank must be at least 1; it is 0"),
        ("rank:21", 20, r"rank must be at most 20.*weights.*it is 21: use a rank from 1 to 20"),
        ("rank:2.5", 20, "rank must be an integer"),
        ("rank:nan", 20, "rank must be an integer"),
        ("power_law:-1", 20, "exponent must be >= 0"),
        ("power_law:inf", 20, "exponent must be finite"),
        ("gradient:3", 20, "rank must be at most 2"),
        ("gradient:1", 21, r"direction 'gradient' must be \(21, 21\); its shape is \(20, 20\)"),
        ("celegans", 280, r"at most 279, the neurons of celegans; it is 280: use 279 units"),
        ("mushroom_body_left/shuffled", 210, "at most 209, the neurons of mushroom_body_left"),
        ("celegans/signed", 1, "units must be enough for a connection.*use more units"),
        ("dale", 2, "excitatory must leave units of both signs"),
        ("cell_types", 3, "types must be at most the 3 units; it is 4"),
        ("chains_over", 2, "at least 3 units"),
        ("chains_under", 3, r"correlation must lie in \[-0.5, 0.5\].*-0.66"),
    ],
)
def test_what_cannot_be_made_is_refused(name, units, message):
    directions = {"gradient": of_low_rank(20, 2)}
    with pytest.raises(ValueError, match=message):
        make(name, start_of(units), fresh(), directions)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros((5, 5)), "nonzero entry"),
        (np.ones((5, 4)), r"square \(N, N\); its shape is \(5, 4\)"),
        (np.full((5, 5), np.nan), "finite"),
        (np.ones(5), "2 dimensions"),
        (1j * np.ones((5, 5)), "real numbers"),
    ],
)
def test_matrices_that_are_none_are_refused(weights, message):
    for name in STARTS:
        with pytest.raises(ValueError, match=f"weights must .*{message}"):
            make(name, weights, fresh())
    with pytest.raises(ValueError, match=f"direction must .*{message}"):
        starts.aligned(weights, 1, 1.0)


def test_other_arguments_that_are_refused():
    w = start_of(20)
    refused = {
        "units must be at least 1": lambda: starts.gaussian(0, fresh()),
        "gain must be > 0": lambda: starts.gaussian(5, fresh(), gain=0.0),
        "norm must be > 0": lambda: starts.aligned(w, 1, 0.0),
        "types must be at least 2": lambda: starts.cell_types(w, fresh(), types=1),
        r"strength must lie in \[0, 1\]": lambda: starts.cell_types(w, fresh(), strength=1.1),
        r"excitatory must lie in \[0, 1\]": lambda: starts.dale(w, 1.5),
        "nonzero columns of both signs": lambda: starts.dale(w * (np.arange(20) < 10), 0.5),
        "they are all alike": lambda: starts.chain_motifs(np.ones((5, 5))),
        "must be one of celegans": lambda: starts.measured("worm", 5),
        r"must fit; they are \(20, 3\), \(2, 19\)": lambda: starts.input_output(
            np.ones((20, 3)), np.ones((2, 19)), np.ones((2, 3))
        ),
    }
    for message, call in refused.items():
        with pytest.raises(ValueError, match=message):
            call()
