"""Gradient descent: against a naive twin, against the flow (T13), and what it refuses."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import richlazy as rl
from richlazy.errors import ConvergenceError
from richlazy.laziness import Measures
from richlazy.two_layer.descent import Gauge, descend, stable_step


def batch(n, h, d, m, *, seed=0, silent=False, scale=0.5):
    rng = np.random.default_rng(seed)
    first = scale * rng.standard_normal((n, h, d))
    readout = np.zeros((n, m, h)) if silent else scale * rng.standard_normal((n, m, h))
    return first, readout, rng.standard_normal((n, m, d)) / np.sqrt(d)


def covariance(d, seed=1):
    x = np.random.default_rng(seed).standard_normal((3 * d, d)) * np.linspace(0.5, 1.5, d)
    return x.T @ x / len(x)


def kernel(w1, w2, root):
    """The tangent kernel over the data up to its rotation, as a matrix of (d m) x (d m)."""
    representation = root @ w1.T @ w1 @ root
    return np.kron(representation, np.eye(len(w2))) + np.kron(root @ root, w2 @ w2.T)


def correlation(a, b):
    return np.sum(a * b) / (np.linalg.norm(a) * np.linalg.norm(b))


def naive(first, readout, cov_yx, step, steps, record, cov_xx):
    """One run at a time, one step at a time, measured with full matrices."""
    values, root = np.linalg.eigh(cov_xx)
    root = root @ np.diag(np.sqrt(np.maximum(values, 0))) @ root.T
    found = []
    for w10, w20, yx in zip(first, readout, cov_yx, strict=True):
        best = yx @ np.linalg.pinv(cov_xx)
        goal = (best @ root).T.ravel()
        w1, w2 = w10, w20
        for index in range(steps + 1):
            if index in record:
                r0, r = (root @ w.T @ w @ root for w in (w10, w1))
                change1, change2 = np.linalg.norm(w1 - w10), np.linalg.norm(w2 - w20)
                found.append(
                    [
                        np.hypot(change1, change2),
                        change1,
                        change2,
                        correlation(r0, r),
                        correlation(kernel(w10, w20, root), kernel(w1, w2, root)),
                        correlation(kernel(w1, w2, root), np.outer(goal, goal)),
                        0.5 * np.trace((best - w2 @ w1) @ cov_xx @ (best - w2 @ w1).T),
                    ]
                )
            error = yx - w2 @ w1 @ cov_xx
            w1, w2 = w1 + step * w2.T @ error, w2 + step * error @ w1.T
    return np.reshape(found, (len(first), len(record), 7)).transpose(2, 0, 1)


@pytest.mark.parametrize("white", [True, False])
@pytest.mark.parametrize(("h", "d", "m"), [(3, 6, 1), (6, 3, 1), (4, 5, 3), (5, 4, 2), (1, 1, 1)])
def test_agrees_with_the_naive_loop(h, d, m, white):
    first, readout, yx = batch(3, h, d, m)
    xx = None if white else covariance(d)
    record = [0, 1, 7, 40]
    found = descend(first, readout, yx, step=0.05, steps=45, record=record, cov_xx=xx)
    expected = naive(first, readout, yx, 0.05, 45, record, np.eye(d) if white else xx)
    np.testing.assert_allclose(np.stack(found.measures), expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_array_equal(found.times, 0.05 * np.array(record))
    assert found.first.shape == first.shape
    assert found.readout.shape == readout.shape


def test_singular_covariance():
    d = 5
    xx = covariance(d)
    xx[:, 0] = xx[0] = 0.0
    first, readout, yx = batch(2, 4, d, 2)
    yx[..., 0] = 0.0
    found = descend(first, readout, yx, step=0.05, steps=30, record=[30], cov_xx=xx)
    expected = naive(first, readout, yx, 0.05, 30, [30], xx)
    np.testing.assert_allclose(np.stack(found.measures), expected, rtol=1e-11)


@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("cov_xx", [None, covariance(6)])
def test_batched_is_looped(m, cov_xx):
    first, readout, yx = batch(5, 4, 6, m)
    settings = {"step": 0.03, "steps": 60, "record": [10, 60], "cov_xx": cov_xx}
    together = descend(first, readout, yx, **settings)
    for i in range(5):
        alone = descend(first[i : i + 1], readout[i : i + 1], yx[i : i + 1], **settings)
        np.testing.assert_allclose(
            np.stack(together.measures)[:, i], np.stack(alone.measures)[:, 0], rtol=1e-12
        )
        np.testing.assert_allclose(together.first[i], alone.first[0], rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(together.readout[i], alone.readout[0], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("m", "silent", "white"),
    [(1, True, True), (1, False, True), (3, True, True), (3, False, False), (1, True, False)],
)
def test_approaches_the_flow_like_the_step(m, silent, white):
    """T13: the distance from the flow is O(step), and after Richardson O(step^2)."""
    d, h, times = 6, 5, np.array([1.0, 4.0])
    first, readout, yx = batch(1, h, d, m, silent=silent, seed=3)
    xx = None if white else covariance(d)
    flow = rl.solve(rl.Network(first[0], readout[0]), rl.Task(yx[0], xx))
    exact = np.stack(flow.measures(times))
    runs = []
    for frequency in (50, 100, 200):
        record = [int(t) * frequency for t in times]
        run = descend(
            first,
            readout,
            yx,
            step=1 / frequency,
            steps=record[-1],
            record=record,
            cov_xx=xx,
        )
        runs.append(np.stack(run.measures)[:, 0])
    distance = [np.linalg.norm(run - exact) for run in runs]
    once = [np.linalg.norm(2 * runs[i + 1] - runs[i] - exact) for i in range(2)]
    assert np.log2(distance[0] / distance[2]) / 2 == pytest.approx(1.0, abs=0.05)
    assert np.log2(once[0] / once[1]) == pytest.approx(2.0, abs=0.1)
    twice = (4 * (2 * runs[2] - runs[1]) - (2 * runs[1] - runs[0])) / 3
    np.testing.assert_allclose(twice, exact, rtol=1e-4, atol=1e-6)


def test_white_inputs_are_recognised():
    first, readout, yx = batch(2, 3, 4, 1)
    settings = {"step": 0.1, "steps": 20, "record": [20]}
    plain = descend(first, readout, yx, **settings)
    explicit = descend(first, readout, yx, cov_xx=np.eye(4), **settings)
    np.testing.assert_array_equal(np.stack(plain.measures), np.stack(explicit.measures))


def test_arguments_are_left_alone_and_no_steps_are_none():
    first, readout, yx = batch(2, 3, 4, 1)
    before = first.copy(), readout.copy(), yx.copy()
    none = descend(first, readout, yx, step=0.1, steps=0, record=[0])
    descend(first, readout, yx, step=0.1, steps=5, record=[5])
    for now, was in zip((first, readout, yx), before, strict=True):
        np.testing.assert_array_equal(now, was)
    np.testing.assert_array_equal(none.first, first)
    assert np.all(none.measures.weight_change == 0)
    np.testing.assert_allclose(none.measures.kernel_alignment, 1.0, rtol=1e-15)


def test_a_solved_task_rests_and_a_zero_start_has_no_alignment():
    """Run 0 starts at its solution, run 1 at zero, which is a saddle."""
    first = np.array([[[1.0, 0.0]], [[0.0, 0.0]]])
    readout = np.array([[[2.0]], [[0.0]]])
    yx = np.array([[[2.0, 0.0]], [[1.0, 0.0]]])
    found = descend(first, readout, yx, step=0.1, steps=50, record=[50]).measures
    assert np.all(found.weight_change == 0)
    np.testing.assert_array_equal(found.loss[:, 0], [0.0, 0.5])
    for alignment in (found.representation_alignment, found.kernel_alignment):
        assert alignment[0, 0] == 1.0
        assert np.isnan(alignment[1, 0])


@pytest.mark.parametrize("step", [5.0, 1e30, 1e250])
def test_divergence_is_refused_and_the_remedy_named(step):
    first, readout, yx = batch(4, 5, 6, 2)
    with pytest.raises(ConvergenceError, match=r"at step \d+ of size .* smaller step.*sharpness"):
        descend(first, readout, yx, step=step, steps=500, record=[500])


@pytest.mark.parametrize("cov_xx", [None, 4.0 * covariance(6)])
def test_one_diverging_run_is_seen_among_many(cov_xx):
    first, readout, yx = batch(6, 5, 6, 1, scale=0.2)
    step = 0.5 * stable_step(first, readout, yx, cov_xx)
    settings = {"step": step, "steps": 300, "record": [300], "cov_xx": cov_xx}
    calm = descend(first, readout, yx, **settings)
    assert np.all(calm.measures.loss < 0.5 * np.sum(yx**2, axis=(1, 2))[:, None])
    first[3] *= 20.0
    with pytest.raises(ConvergenceError):
        descend(first, readout, yx, **settings)


@pytest.mark.parametrize("scale", [0.01, 0.5, 3.0])
def test_stable_step_is_two_over_the_sharpness_and_descent_settles_below_it(scale):
    """Aligned modes, one output: sharpness at the minimum is sqrt(s^4 + 4 |beta|^2)."""
    first = np.array([[[scale, 0.0, 0.0], [0.0, 0.5 * scale, 0.0]]])
    readout, yx = np.zeros((1, 1, 2)), np.array([[[2.0, 0.0, 0.0]]])
    step = stable_step(first, readout, yx)
    assert step == pytest.approx(2.0 / (scale**2 + 4.0))
    assert stable_step(first[0], readout[0], yx[0]) == step
    run = descend(first, readout, yx, step=0.9 * step, steps=400, record=[400])
    sharpness = np.sum(run.first[0, 0] ** 2) + np.sum(run.readout**2)
    assert sharpness <= 2.0 / step
    assert run.measures.loss[0, 0] < 1e-12


def test_stable_step_of_nothing_is_infinite():
    assert stable_step(np.zeros((2, 2)), np.zeros((1, 2)), np.zeros((1, 2))) == np.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": np.zeros((3, 4))}, "first must have 3 dimensions"),
        ({"readout": np.zeros((2, 1, 4))}, "must fit together"),
        ({"readout": np.zeros((1, 1, 3))}, "must fit together"),
        ({"cov_yx": np.ones((2, 1, 5))}, "must fit together"),
        ({"cov_yx": np.ones((2, 2, 4))}, "must fit together"),
        ({"cov_yx": np.zeros((2, 1, 4))}, "cov_yx is zero"),
        ({"cov_yx": np.full((2, 1, 4), np.nan)}, "cov_yx must be finite"),
        ({"cov_xx": np.eye(3)}, r"cov_xx must be \(4, 4\)"),
        ({"step": 0.0}, "step must be > 0"),
        ({"step": -0.1}, "step must be > 0"),
        ({"step": [0.1, 0.2]}, "step must be one number"),
        ({"steps": 2.5}, "steps must be an integer"),
        ({"steps": -1}, "steps must be at least 0"),
        ({"record": []}, "record must hold rising step indices"),
        ({"record": [3, 2]}, "record must hold rising step indices"),
        ({"record": [2, 2]}, "record must hold rising step indices"),
        ({"record": [11]}, r"within \[0, 10\]"),
        ({"record": [-1]}, "record must be at least 0"),
    ],
)
def test_bad_arguments(change, message):
    first, readout, yx = batch(2, 3, 4, 1)
    arguments = {
        "first": first,
        "readout": readout,
        "cov_yx": yx,
        "step": 0.1,
        "steps": 10,
        "record": [10],
    }
    with pytest.raises(ValueError, match=message):
        descend(**(arguments | change))


def test_measures_have_the_axes_of_runs_and_records():
    first, readout, yx = batch(3, 2, 4, 2)
    found = descend(first, readout, yx, step=0.1, steps=10, record=[2, 10])
    assert isinstance(found.measures, Measures)
    assert {value.shape for value in found.measures} == {(3, 2)}


@pytest.mark.parametrize("cov_xx", [None, covariance(4)])
def test_a_gauge_measures_any_weights_as_descent_does(cov_xx):
    first, readout, yx = batch(3, 2, 4, 2)
    gauge = Gauge(first, readout, yx, cov_xx)
    found = descend(first, readout, yx, step=0.1, steps=10, record=[0, 10], cov_xx=cov_xx)
    for index, weights in enumerate([(first, readout), (found.first, found.readout)]):
        for one, other in zip(gauge.measures(*weights), found.measures, strict=True):
            np.testing.assert_array_equal(one, other[:, index])
    residual = yx - readout @ (first if cov_xx is None else first @ cov_xx)
    assert np.all(np.sum(residual**2, axis=(1, 2)) <= gauge.ceiling() * (1 + 1e-12))


def test_a_gauge_refuses_what_does_not_fit():
    first, readout, yx = batch(2, 3, 4, 1)
    with pytest.raises(ValueError, match="must fit together"):
        Gauge(first, readout, yx[:1])
    with pytest.raises(ValueError, match="cov_yx is zero"):
        Gauge(first, readout, 0.0 * yx)
    assert Gauge(first, readout, yx, np.eye(4)).cov_xx is None


# Over random networks

shapes = st.tuples(st.integers(1, 3), *[st.integers(1, 4)] * 3)  # runs, hidden, inputs, outputs
seeds = st.integers(0, 1000)


def measured(first, readout, yx, step=0.05, steps=12, cov_xx=None):
    return descend(first, readout, yx, step=step, steps=steps, record=[0, 3, steps], cov_xx=cov_xx)


def turn(size, rng):
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


@settings(max_examples=50)
@given(st.lists(st.integers(-16, 16), min_size=10, max_size=10), st.integers(9, 12))
def test_one_step_is_exact(eighths, power):
    """Entries k/8 and a step 2^-n: float64 holds every number of the step as it is."""
    step, parts = 2.0**-power, np.array(eighths) / 8.0
    yx = np.array([[[1.0, -0.5]]])
    first, readout = parts[:4].reshape(1, 2, 2), parts[4:6].reshape(1, 1, 2)
    root = parts[6:10].reshape(2, 2)
    cov_xx = root @ root.T + np.eye(2)
    run = descend(first, readout, yx, step=step, steps=1, record=[1], cov_xx=cov_xx)

    def exactly(array):
        return np.array([Fraction(float(x)) for x in array.ravel()]).reshape(array.shape)

    w1, w2, s_yx, s_xx = (exactly(x) for x in (first[0], readout[0], yx[0], cov_xx))
    error = s_yx - w2.dot(w1).dot(s_xx)
    wanted = (w1 + Fraction(step) * w2.T.dot(error), w2 + Fraction(step) * error.dot(w1.T))
    for found, exact in zip((run.first[0], run.readout[0]), wanted, strict=True):
        np.testing.assert_array_equal(found, exact.astype(float))


@settings(max_examples=50)
@given(shapes, seeds, st.permutations(range(3)))
def test_the_order_of_runs_does_not_matter(shape, seed, order):
    first, readout, yx = batch(3, *shape[1:], seed=seed)
    plain = measured(first, readout, yx)
    mixed = measured(*(x[list(order)] for x in (first, readout, yx)))
    for name in ("first", "readout"):
        np.testing.assert_array_equal(getattr(mixed, name), getattr(plain, name)[list(order)])
    for one, other in zip(mixed.measures, plain.measures, strict=True):
        np.testing.assert_array_equal(one, other[list(order)])


@settings(max_examples=50)
@given(shapes, seeds, st.booleans())
def test_turning_inputs_hidden_units_and_outputs_turns_the_weights(shape, seed, white):
    n, h, d, m = shape
    first, readout, yx = batch(n, h, d, m, seed=seed)
    rng = np.random.default_rng(seed)
    cov_xx = None if white else covariance(d)
    inputs, hidden, outputs = (turn(size, rng) for size in (d, h, m))
    plain = measured(first, readout, yx, cov_xx=cov_xx)
    turned = measured(
        hidden @ first @ inputs.T, outputs @ readout @ hidden.T, outputs @ yx @ inputs.T,
        cov_xx=None if white else inputs @ cov_xx @ inputs.T,
    )  # fmt: skip
    np.testing.assert_allclose(turned.first, hidden @ plain.first @ inputs.T, atol=1e-12)
    np.testing.assert_allclose(turned.readout, outputs @ plain.readout @ hidden.T, atol=1e-12)
    for one, other in zip(turned.measures, plain.measures, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@settings(max_examples=50)
@given(shapes, seeds, st.sampled_from([0.25, 4.0, 2.0**20]))
def test_weights_scale_as_the_root_of_the_task(shape, seed, k):
    """W -> sqrt(k) W, task -> k task, step -> step/k: powers of 2, so without rounding."""
    first, readout, yx = batch(*shape, seed=seed)
    root = np.sqrt(k)
    plain = measured(first, readout, yx)
    scaled = measured(root * first, root * readout, k * yx, step=0.05 / k)
    np.testing.assert_array_equal(scaled.first, root * plain.first)
    np.testing.assert_array_equal(scaled.readout, root * plain.readout)
    units = (root, root, root, 1.0, 1.0, 1.0, k * k)
    for one, other, unit in zip(scaled.measures, plain.measures, units, strict=True):
        np.testing.assert_allclose(one, unit * other, rtol=1e-12, atol=1e-14 * unit)


@settings(max_examples=50)
@given(shapes, seeds, st.sampled_from([0.001, 0.02, 0.1]))
def test_the_conserved_matrix_moves_by_the_squared_step(shape, seed, step):
    """T13: after a step D is D + step^2 (G2'G2 - G1 G1'), with the slopes G1, G2 of the flow."""
    first, readout, yx = batch(*shape, seed=seed)
    run = descend(first, readout, yx, step=step, steps=1, record=[1])

    def conserved(w1, w2):
        return w2.swapaxes(1, 2) @ w2 - w1 @ w1.swapaxes(1, 2)

    error = yx - readout @ first
    slopes = readout.swapaxes(1, 2) @ error, error @ first.swapaxes(1, 2)
    moved = conserved(run.first, run.readout) - conserved(first, readout)
    np.testing.assert_allclose(moved, step**2 * conserved(*slopes), atol=1e-13)


@settings(max_examples=30)
@given(seeds, st.floats(0.1, 0.9), st.floats(0.5, 2.0), st.floats(0.3, 2.0))
def test_the_distance_from_the_flow_is_the_step_times_the_constant_of_t13(seed, part, s, t):
    """A balanced mode u -> u + step delta, delta = -u (s - u) log(sqrt(u/u0) (s - u)/(s - u0))."""
    u0 = part * s
    rng = np.random.default_rng(seed)
    inputs, hidden, outputs = (turn(3, rng)[:, :1] for _ in range(3))
    first, readout = (np.sqrt(u0) * w[None] for w in (hidden @ inputs.T, outputs @ hidden.T))
    task = s * outputs @ inputs.T
    flow = rl.solve(rl.Network(first[0], readout[0]), rl.Task(task))
    u = float((outputs.T @ flow.function(t) @ inputs).item())
    delta = -u * (s - u) * np.log(np.sqrt(u / u0) * (s - u) / (s - u0))
    found = []
    for steps in (400, 800):
        run = descend(first, readout, task[None], step=t / steps, steps=steps, record=[steps])
        now = (outputs.T @ run.readout[0] @ run.first[0] @ inputs).item()
        found.append((now - u) * steps / t)
    # what is left of the distance over the step is O(step), and halves with it
    assert 2 * found[1] - found[0] == pytest.approx(delta, rel=1e-3, abs=1e-4 * s * s)
    learned = Gauge(first, readout, readout @ first).ceiling()  # all that is left is zero's loss
    np.testing.assert_allclose(learned, np.sum((readout @ first) ** 2, axis=(1, 2)), rtol=1e-14)
