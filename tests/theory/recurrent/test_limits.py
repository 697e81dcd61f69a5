"""The limits of the recurrent flow: what `limits` and `recurrent_limits` say, against the flow."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.errors import AssumptionError
from richlazy.formulas import recurrent_limits as typical_limits
from richlazy.recurrent import Network, Task, expect, limits, solve, turn, typical
from richlazy.recurrent.kernel import tangent_kernel
from richlazy.recurrent.reduction import Training, enriched
from richlazy.recurrent.routes.route import certified
from richlazy.start import spectrum
from richlazy.start.matrices import Thin

EVERY = ("inputs", "recurrent", "readout")
CHANGES = ("weight_change_inputs", "weight_change_recurrent", "weight_change_readout")


def gaussian(units, gain, rng, channels=1, outputs=1, leak=1.0):
    w = gain * rng.standard_normal((units, units)) / units**0.5
    return Network.random(w, channels=channels, outputs=outputs, leak=leak, rng=rng)


# -- lazy, any start -----------------------------------------------------------------------


@pytest.mark.parametrize("leak", [1.0, 0.6])
@pytest.mark.parametrize("trained", [EVERY, ("recurrent",), ("inputs", "readout")])
def test_the_lazy_limit_is_the_first_order_of_the_flow(leak, trained):
    rng = np.random.default_rng(1)
    net = gaussian(16, 0.7, rng, channels=2, outputs=2, leak=leak)
    lags = rng.standard_normal((3, 2, 2))
    if trained == ("recurrent",):
        lags[0] = 0.0  # W does not move lag 0
    start = solve(net, Task(np.ones((3, 2, 2)))).response(0.0)

    def errors(size):
        task = Task(start + size * lags, weights=[1.0, 2.0, 0.5])
        first, whole = limits.lazy(net, task, trained=trained), solve(net, task, trained=trained)
        m = whole.measures(np.inf)
        pairs = [(getattr(first, name), getattr(m, name)) for name in CHANGES]
        pairs += [
            (first.representation_gap, 1 - m.representation_alignment),
            (first.kernel_gap, 1 - m.kernel_alignment),
        ]
        assert [x == 0 for x, _ in pairs[:3]] == [name not in trained for name in EVERY]
        assert all(abs(y) < 1e-12 for x, y in pairs[:3] if x == 0)
        return np.array([x / y - 1 for x, y in pairs if x > 0])

    coarse, fine = errors(4e-4), errors(2e-4)
    assert np.all(np.abs(fine) < 0.01)
    # both are of first order in the size
    assert np.all(np.abs(2 * fine - coarse) < 3e-4)


def test_the_lazy_limit_of_inputs_that_are_not_white():
    rng = np.random.default_rng(2)
    net = gaussian(12, 0.7, rng)
    root = rng.standard_normal((3, 3))
    start = solve(net, Task(np.ones(3))).response(0.0).ravel()
    task = Task(start + 1e-4 * rng.standard_normal(3), cov=root @ root.T + np.eye(3))
    first, whole = limits.lazy(net, task), solve(net, task).measures(np.inf)
    for name in CHANGES:
        assert getattr(first, name) == pytest.approx(float(getattr(whole, name)), rel=1e-3)
    assert first.kernel_gap == pytest.approx(1 - float(whole.kernel_alignment), rel=5e-3)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_start_of_rank_r_learns_2r_plus_2_lags_lazily(rank):
    rng = np.random.default_rng(rank)
    most = typical_limits.lags(rank)
    left, right = (np.linalg.qr(rng.standard_normal((40, rank)))[0] for _ in range(2))
    net = Network.random(Thin(left, np.linspace(3, 4, rank), right), rng=rng)
    c, o = [net.inputs], [net.readout]
    w = left @ np.diag(np.linspace(3, 4, rank)) @ right.T
    for _ in range(most + 1):
        c.append(w @ c[-1])
        o.append(o[-1] @ w)
    kernel = tangent_kernel(np.stack(c), np.stack(o)).total((1.0, 1.0, 1.0))
    scale = 1 / np.sqrt(np.diag(kernel))
    values = np.linalg.eigvalsh(scale[:, None] * kernel * scale)
    assert np.count_nonzero(values > 1e-11) == most  # of most + 2
    with pytest.raises(AssumptionError, match="kernel is singular"):
        limits.lazy(net, Task.random(most + 1, rng=rng))
    assert limits.lazy(net, Task.random(most, rng=rng)).condition > 1


# -- lazy, typical starts ------------------------------------------------------------------


def typical_flow(s, gain, nu, input_norm=1.0, readout_norm=1.0):
    """Measures of the typical start of the law's spectrum, words as long as four runs need."""
    values, shares = ([0.0, gain * nu**0.5], [1 - 1 / nu, 1 / nu]) if nu > 1 else ([gain], [1.0])
    net = typical.network(
        values, shares, channels=1, outputs=1, input_norm=input_norm, readout_norm=readout_norm,
        words=2 * len(s) + 1,
    )  # fmt: skip
    small = enriched(net, [Task(s)], Training(True, True, True), np.inf, 1e-11)
    _, found, _ = certified(small, np.array([np.inf]), 1.0)
    return {name: float(v[0, 0]) for name, v in found._asdict().items()}


@pytest.mark.parametrize(
    ("steps", "gain", "nu", "ends"),
    [(2, 0.6, 3.0, (1.0, 1.0)), (3, 0.8, 1.0, (0.5, 1.0)), (3, 0.6, 2.5, (1.0, 1.3))],
)
def test_both_orders_of_a_typical_start_are_those_of_its_flow(steps, gain, nu, ends):
    s = np.random.default_rng(0).standard_normal(steps)
    s /= np.linalg.norm(s)
    given = {"gain": gain, "input_norm": ends[0], "readout_norm": ends[1]}
    first = typical_limits.lazy(s, **given)
    second = typical_limits.second(s, concentration=nu, **given)

    def measured(size):
        m = typical_flow(size * s, gain, nu, *ends)
        squares = [m[name] ** 2 / size**2 for name in (*CHANGES, "weight_change")]
        bent = [(x - y) / size**2 for x, y in zip(squares, first, strict=True)]
        gaps = [1 - m["representation_alignment"], 1 - m["kernel_alignment"]]
        return np.array([*bent, *(x / size**4 for x in gaps)])

    coarse, fine = measured(0.06), measured(0.03)
    assert np.abs((4 * fine - coarse) / 3 / np.array(second) - 1).max() < 1e-3


def test_the_first_order_knows_no_spectrum_and_any_channels_and_outputs():
    s = np.random.default_rng(3).standard_normal((4, 2, 3))
    found = typical_limits.lazy(s, gain=0.7, input_norm=2.0)
    each = [
        typical_limits.lazy(s[:, i, j], gain=0.7, input_norm=2.0)
        for i in range(2)
        for j in range(3)
    ]
    assert np.allclose(found, np.sum(each, axis=0))
    kernel = 5.0 * 0.7 ** (2 * np.arange(4)) + 4.0 * np.arange(4) * 0.7 ** (2.0 * np.arange(-1, 3))
    assert found.total == pytest.approx(float(np.sum(np.sum(s**2, axis=(1, 2)) / kernel)))


def test_means_over_tasks_are_exact():
    tasks = np.random.default_rng(0).standard_normal((4000, 3))
    tasks *= 0.7 / np.linalg.norm(tasks, axis=1, keepdims=True)
    first = np.array([typical_limits.lazy(s, gain=0.6) for s in tasks])
    start = typical_limits._Start(3, 0.6, 2.5, 1.0, 1.0)
    second = np.stack(typical_limits._second(tasks, start), axis=1)
    for sample, mean in (
        (first, typical_limits.lazy_mean(3, strength=0.7, gain=0.6)),
        (second, typical_limits.second_mean(3, strength=0.7, gain=0.6, concentration=2.5)),
    ):
        error = sample.std(axis=0) / len(tasks) ** 0.5
        assert np.all(np.abs(sample.mean(axis=0) - mean) < 4 * error)
        assert np.all(error < 0.05 * np.abs(mean))


@pytest.mark.parametrize("steps", [2, 3, 5])
@pytest.mark.parametrize("gain", [0.1, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("ends", [(1.0, 1.0), (1.0, 0.1), (3.0, 3.0), (0.3, 0.3)])
def test_to_leading_order_full_rank_is_the_laziest_on_average(steps, gain, ends):
    """Both gaps are quadratic in nu - 1 with no negative coefficient; the change is linear."""
    one, two, three = (
        typical_limits.second_mean(
            steps, gain=gain, concentration=nu, input_norm=ends[0], readout_norm=ends[1]
        )
        for nu in (1.0, 2.0, 3.0)
    )
    for name in ("representation_gap", "kernel_gap"):
        a, b, c = (getattr(x, name) for x in (one, two, three))
        bend = (c - 2 * b + a) / 2
        assert bend > -1e-12 * c
        assert b - a - bend > -1e-12 * c
    assert two.total < one.total
    assert three.total - 2 * two.total + one.total == pytest.approx(0, abs=1e-9 * abs(one.total))


def test_a_single_task_may_be_learned_lazier_from_lower_rank():
    """The mean of all tasks hides it; above gain 1 there are such tasks from three lags on."""
    s = [1.0, -2.0, -2.0, -1.0]
    full, half = (
        typical_limits.second(s, gain=2.0, concentration=nu).kernel_gap for nu in (1.0, 2.0)
    )
    assert half < 0.25 * full


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="concentration is N / PR and at least 1"):
        typical_limits.second([1.0, 0.0], gain=0.6, concentration=0.5)
    with pytest.raises(ValueError, match="steps must be at most 16"):
        typical_limits.second(np.ones(17), gain=0.6, concentration=2.0)
    with pytest.raises(ValueError, match="gain"):
        typical_limits.lazy([1.0], gain=0.0)
    with pytest.raises(ValueError, match="channels"):
        limits.lazy(gaussian(9, 0.6, np.random.default_rng(0)), Task(np.ones((2, 1, 2))))


# -- rich ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("channels", "outputs", "leak"), [(1, 1, 1.0), (2, 1, 0.7), (1, 2, 1.0)])
def test_rate_and_pair_are_those_of_the_polynomial(channels, outputs, leak):
    rng = np.random.default_rng(5)
    net = gaussian(12, 0.8, rng, channels, outputs, leak)
    task = Task.random(3, channels, outputs, rng=rng)
    a = (1 - leak) * np.eye(12) + leak * net.recurrent
    p = leak * sum(
        np.kron(s, np.linalg.matrix_power(a, k)) for k, s in enumerate(task.response)
    )  # fmt: skip
    found = limits.rich(net, task)
    values = np.linalg.svd(p)[1]
    assert found.rate == pytest.approx(values[0], rel=1e-12)
    assert found.next_rate == pytest.approx(values[1], rel=1e-12)
    moved = p @ found.inputs.T.ravel()
    assert moved == pytest.approx(found.rate * found.readout.ravel(), abs=1e-12)


def test_small_starts_tend_to_the_rich_limit():
    rng = np.random.default_rng(1)
    w = 0.5 * rng.standard_normal((24, 24)) / 24**0.5
    w += np.outer(*(x / np.linalg.norm(x) for x in rng.standard_normal((2, 24))))
    task = Task([0.0, 0.0, 1.0])
    net = Network.random(w, input_norm=1e-6, readout_norm=1e-6, rng=rng)
    found = limits.rich(net, task)
    distances = []
    for size in (1e-2, 1e-8, 1e-16):
        small = Network(size * 1e6 * net.inputs, w, size * 1e6 * net.readout)
        m = solve(small, task).measures(np.inf)
        names = (*CHANGES[1:2], "representation_alignment", "kernel_alignment")
        distances.append([abs(float(getattr(m, x)) - getattr(found, x)) for x in names])
    gap = 1 - found.next_rate / found.rate
    assert np.all(np.array(distances[2]) < 3 * 1e-16**gap + 1e-4)
    assert np.all(np.array(distances[2]) < np.array(distances[0]))
    assert found.loss < 1e-12
    # at the time that is stated the pair has norm 1 where nothing stands against it yet
    early = solve(net, task).at(0.5 * found.time)
    along = 0.5 * (np.sum(early.inputs * found.inputs) + np.sum(early.readout * found.readout))
    assert abs(along) == pytest.approx(np.exp(-0.5 * found.rate * found.time), rel=1e-3)


def test_large_networks_find_their_pair_from_products_alone():
    rng = np.random.default_rng(6)
    net = gaussian(120, 0.9, rng, channels=10)
    task = Task.random(2, 10, 1, rng=rng)
    p = np.concatenate(
        [a * np.eye(120) + b * net.recurrent for a, b in task.response[:, 0].T], axis=1
    )
    (rate, _), inputs, readout = limits._leading(net, task)
    assert rate == pytest.approx(np.linalg.norm(p, 2), rel=1e-8)
    assert p @ inputs.T.ravel() == pytest.approx(rate * readout.ravel(), abs=1e-7)


def test_an_orthogonal_start_with_one_lag_has_no_first_direction():
    w = np.linalg.qr(np.random.default_rng(0).standard_normal((10, 10)))[0]
    with pytest.raises(AssumptionError, match="leading singular values of P agree"):
        limits.rich(Network.random(w, rng=np.random.default_rng(1)), Task([0.0, 1.0]))


def test_what_the_pair_cannot_learn_is_said():
    """Two outputs that want two directions: one pair has rank 1."""
    w = 0.5 * np.diag([1.0, 0.3, 0.2, 0.1])
    response = np.array([1.0, 0.5])[:, None, None] * np.diag([1.0, 0.4])
    net = Network.random(w, channels=2, outputs=2, rng=np.random.default_rng(2))
    found = limits.rich(net, Task(response))
    assert found.loss == pytest.approx(0.5 * 0.4**2 * 1.25, rel=1e-6)
    assert "excess loss 0.1:" in found.assumptions[1]


# -- where W moves least -------------------------------------------------------------------


def test_the_turn_is_that_of_sampled_starts():
    found = turn(200, 4, gain=0.625, tasks=24)
    curve = np.interp([1.0, 3.0, 12.0], found.ranks, found.weight_change)
    assert found.least in (1, 2, 3)
    for rank, said in ((3, curve[1]), (12, curve[2])):
        start = spectrum.flat(rank=rank, norm=0.625 * 200**0.5)
        sampled = expect(start, 4, units=200, method="sample", tasks=40).weight_change_recurrent
        assert abs(sampled.mean / said - 1) < 0.05 + 4 * sampled.standard_error / sampled.mean
    # both halves of it: the typical start rises with rank, the scatter falls
    assert np.all(np.diff(found.typical) > 0)
    assert np.all(np.diff(typical_limits.scatter(found.ranks, steps=4, gain=0.625)) < 0)


def test_a_turn_is_of_tasks_of_strength_one_unless_told():
    plain = turn(12, 2, gain=0.6, tasks=2)
    for strength, alike in ((1.0, True), (1.5, False)):
        found = turn(12, 2, gain=0.6, strength=strength, tasks=2)
        assert np.array_equal(found.typical, plain.typical) == alike


def test_ranks_that_hold_too_few_lags_are_not_the_least_and_that_is_said():
    found = turn(40, 5, gain=0.2, tasks=2)
    assert found.least >= 2
    assert "ranks below 2 hold fewer lags" in found.assumptions[-1]


def test_a_weak_task_moves_w_less_from_higher_rank_and_a_strong_one_more():
    """T20 at two steps: the turn strength of the derivation, in closed form."""
    found = typical_limits.turn_strength(150, gain=0.6, input_norm=0.5, readout_norm=2.0)
    x, y, g = 0.25, 4.0, 0.6
    k = (x + y) * g**2 + x * y
    assert found == pytest.approx(np.sqrt(3 * ((x + y) * k - g**2 * x * y) / 150), rel=1e-14)


# -- where full rank is not the laziest ----------------------------------------------------


def test_at_low_gain_and_many_lags_a_quarter_of_the_rank_has_the_larger_kernel_alignment():
    given = {"steps": 5, "units": 240, "strength": 0.3, "tasks": 24}
    full, quarter = (
        expect(spectrum.flat(rank=r, norm=0.3 * 240**0.5), **given).kernel_alignment.mean
        for r in (240, 60)
    )
    assert quarter - full > 0.006
