"""T2, T3 on weights: the closed modes against the flow, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator

from richlazy import modes
from richlazy.start.matrices import Thin
from richlazy.start.network import Network
from richlazy.start.task import Task, random_directions
from richlazy.two_layer.routes.modes import ClosedModes, closed_modes
from richlazy.two_layer.routes.shared_modes import shared_modes
from richlazy.two_layer.solution import Solution
from richlazy.two_layer.solve import solve

TIMES = np.array([0.0, 0.3, 2.0, 9.0, np.inf])


def rectangle(shape, values):
    matrix = np.zeros(shape)
    k = min(*shape, len(values))
    matrix[range(k), range(k)] = values[:k]
    return matrix


def rotations(sizes, seed):
    rng = np.random.default_rng(seed)
    return [random_directions(size, size, rng) for size in sizes]


def aligned(sizes, a, b, s, q=None, seed=0):
    """Start and task of modes (a, b, s, q) in random bases; sizes (inputs, hidden, outputs)."""
    d, h, m = sizes
    v, r, u = rotations(sizes, seed)
    readout = u @ rectangle((m, h), b) @ r.T if np.any(b) else None
    start = Network(r @ rectangle((h, d), a) @ v.T, readout)
    cov = None if q is None else (v * q) @ v.T
    return start, Task(u @ rectangle((m, d), s) @ v.T, cov)


def answered(start, task):
    found = closed_modes(start, task)
    assert isinstance(found, ClosedModes), found
    return found


Q5, Q6 = [0.5, 1.0, 2.0, 0.3, 1.7], [0.5, 1.0, 2.0, 0.3, 0.5, 1.2]
# sizes, a, b, s, q
CASES = {
    "square": ((4, 4, 4), [0.5, 1.0, 0.2, 0.7], [0.3, 0.1, 0.6, 0.4], [2.0, 1.0, 0.5, 0.3], None),
    "signs": ((4, 4, 4), [-0.5, 1.0, -0.2, 0.7], [0.3, -0.1, -0.6, 0.4], [2, 1, 0.5, 0.3], None),
    "bottleneck": ((5, 2, 4), [0.5, 1.0], [0.3, 0.1], [2.0, 1.0, 0.5, 0.3], None),
    "wide": ((3, 7, 2), [0.5, 1.0, 0.4], [0.3, 0.1], [2.0, 1.0], None),
    "more inputs": ((6, 5, 2), [0.5, 1.0, 0.4, 0.3, 0.2], [0.3, 0.1], [2.0, 1.0], None),
    "more outputs": ((2, 5, 6), [0.5, 1.0], [0.3, 0.1, 0.4, 0.2, 0.9], [2.0, 1.0], None),
    "silent": ((5, 4, 3), [0.5, 1.0, 0.4, 0.3], [], [2.0, 1.0, 0.7], None),
    "one output, silent": ((5, 4, 1), [0.5, 1.0, 0.4, 0.3], [], [1.5], None),
    "one output": ((5, 4, 1), [0.5, 1.0, 0.4, 0.3], [0.8], [1.5], None),
    "one of everything": ((1, 1, 1), [0.5], [-0.4], [1.5], None),
    "silent first layer": ((4, 5, 3), [], [0.5, 0.2, 0.9], [2.0, 1.0, 0.7], None),
    "weights without a task": ((4, 4, 4), [0.5, 1.0, 0.2, 0.7], [0.3, 0.1, 0.6, 0.4], [2], None),
    "a task without weights": ((4, 4, 4), [0.5], [0.3], [2.0, 1.0, 0.7], None),
    "nothing at all": ((3, 3, 2), [], [], [2.0, 1.0], None),
    "layers that do not meet": ((4, 4, 4), [0.5, 0, 0.2, 0], [0, 0.1, 0, 0.4], [0, 0, 0, 1], None),
    "half silent": ((4, 4, 4), [0.5, 0.0, 0.4, 0.0], [0.0, 0.6, 0.3, 0.0], [2, 1, 1, 1], None),
    "equal strengths": ((4, 4, 4), [0.5, 1.0, 0.2, 0.7], [0.3, -0.1, 0.6, 0.4], [1] * 4, None),
    "equal weights": ((4, 4, 4), [0.6] * 4, [0.3] * 4, [2.0, 1.0, 1.0, 0.3], None),
    "equal but for a sign": ((4, 4, 4), [0.6] * 4, [0.3, -0.3, 0.3, -0.3], [1.0] * 4, None),
    "equal everything": ((4, 4, 4), [0.6] * 4, [0.3] * 4, [1.0] * 4, None),
    "near ties": ((3, 3, 3), 0.6 + 1e-9 * np.arange(3), [0.3] * 3, 1 - 1e-8 * np.arange(3), None),
    "anti-aligned": ((3, 3, 3), [0.6, 0.5, 0.4], [-0.5, -0.3, -0.6], [2.0, 1.0, 0.3], None),
    "learned already": ((3, 3, 3), [2.0, 1.0, 1.0], [1.0, 1.0, 0.5], [2.0, 1.0, 0.5], None),
    "very weak modes": ((4, 4, 3), [1.0, 1e-5, 1e-7, 0.3], [], [1.0, 0.7, 0.4], None),
    "variances": ((5, 4, 3), [0.5, 1.0, 0.4, 0.3], [0.3, -0.1, 0.6], [1.5, 1.0, 0.7], Q5),
    "variances, silent": ((5, 4, 3), [0.5, 1.0, 0.4, 0.3], [], [1.5, 1.0, 0.7], Q5),
    "equal variances": ((6, 6, 6), [0.5] * 6, [0.2] * 6, [1.0, 1.0, 2.0, 0.5, 1.0, 0.7], Q6),
    "no variance": ((4, 4, 3), [0.5, 1.0, 0.4, 0.3], [0.3, 0.2, 0.6], [1.5, 0, 0], [1, 0, 2, 1]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_flow(name):
    sizes, a, b, s, q = CASES[name]
    start, task = aligned(sizes, a, b, s, q, seed=list(CASES).index(name))
    found, full = Solution(start, task, answered(start, task)), solve(start, task, "flow")
    assert found.method == "closed modes (T3)"
    mine, wanted = found.measures(TIMES), full.measures(TIMES)
    for field, x, y in zip(mine._fields, mine, wanted, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-8, atol=1e-8, err_msg=field)
    for t in (0.3, np.inf):
        state, exact = found.at(t), full.at(t)
        np.testing.assert_allclose(state.first(), exact.first(), atol=1e-8)
        np.testing.assert_allclose(state.readout, exact.readout, atol=1e-8)
        if np.any(start.first) or not start.silent:
            assert found.drift(t) < 1e-13


@pytest.mark.parametrize("name", [name for name in CASES if np.any(CASES[name][1])])
def test_measures_are_those_of_the_weights(name, dense_measures):
    sizes, a, b, s, q = CASES[name]
    start, task = aligned(sizes, a, b, s, q, seed=list(CASES).index(name))
    route = answered(start, task)
    solution, found = Solution(start, task, route), route.measures(TIMES)
    for k, (t, change) in enumerate(zip(TIMES, route.changes(TIMES), strict=True)):
        small = route.reduced.measures(change)
        for x, y in zip(small[:-1], found[:-1], strict=True):
            np.testing.assert_allclose(x[0], y[k], rtol=1e-11, atol=1e-14)
        state = solution.at(float(t))
        dense = dense_measures(start, task, state.first(), state.readout)
        np.testing.assert_allclose([v[k] for v in found[:-1]], dense[:-1], rtol=1e-10, atol=1e-13)
        assert found.loss[k] == pytest.approx(dense.loss, rel=1e-10, abs=1e-14)


def test_the_modes_are_those_of_modes():
    # in the bases of the unit vectors every number is that of T3 to the last digits
    a, b, s = [0.5, -1e-6, 0.2], [0.3, 0.1, 1e3], [2.0, 1.0, 0.5]
    start = Network(rectangle((4, 5), a), rectangle((3, 4), b))
    found = answered(start, Task(rectangle((3, 5), s)))
    measures = found.measures(TIMES)
    state = modes.state(a, b, s, TIMES[:, None])
    change1 = np.linalg.norm(state.change_first, axis=1)
    np.testing.assert_allclose(measures.weight_change_input, change1, rtol=1e-13)
    np.testing.assert_allclose(measures.loss, np.sum(state.loss, axis=1), rtol=1e-13)


def test_the_loss_keeps_its_digits_to_the_end():
    start, task = aligned((3, 3, 3), [0.5, 0.4, 0.3], [0.4, 0.5, 0.2], [2.0, 1.0, 0.5], seed=1)
    late = answered(start, task).measures(np.array([20.0, 40.0])).loss
    kappa = np.hypot(0.5, 0.5 * (0.2**2 - 0.3**2))  # the slowest mode
    assert late[1] / late[0] == pytest.approx(np.exp(-4.0 * kappa * 20.0), rel=1e-6)
    assert late[1] < 1e-30


# Saddles


def test_a_start_on_the_path_into_a_saddle_stays_on_it():
    a, b, s = [0.7, 0.4, 0.3], [-0.7, 0.2, -0.3], [1.0, 0.5, 0.2]
    start, task = aligned((5, 4, 3), a, b, s, seed=3)
    found = answered(start, task)
    assert "modes on the path into a saddle (a = -b to rounding): 2" in found.assumptions
    at = np.array([0.0, 1.0, 5.0, 60.0, np.inf])
    measures = found.measures(at)
    early = solve(start, task, "flow").measures(at[:3])  # later, rounding takes it off the path
    for x, y in zip(measures, early, strict=True):
        np.testing.assert_allclose(x[:3], y, rtol=1e-8, atol=1e-8)
    assert measures.loss[-1] == pytest.approx(0.5 * (1.0**2 + 0.2**2), rel=1e-14)
    # only the second mode is left at the end
    wanted = 0.4**2 / np.sqrt(0.7**4 + 0.4**4 + 0.3**4)
    assert measures.representation_alignment[-1] == pytest.approx(wanted, rel=1e-14)
    assert found.measures(at[3:4]).representation_alignment[0] == pytest.approx(wanted, rel=1e-12)


def test_a_start_that_decays_altogether_keeps_its_shape():
    start, task = aligned((4, 3, 3), [0.7, 0.7], [-0.7, -0.7], [1.0, 1.0], seed=2)
    measures = answered(start, task).measures(np.array([0.0, 10.0, 100.0, np.inf]))
    np.testing.assert_allclose(measures.representation_alignment[:3], 1.0, rtol=1e-14)
    assert np.isnan(measures.representation_alignment[3])  # 0/0, an error from Solution
    np.testing.assert_allclose(measures.weight_change[-1], np.sqrt(4 * 0.7**2), rtol=1e-14)


def test_modes_without_weight_are_never_learned():
    start, task = aligned((5, 3, 4), [0.5], [0.2], [2.0, 1.0, 0.5], seed=4)
    found = answered(start, task)
    assert "task modes at a saddle, without weight in either layer: 2" in found.assumptions
    np.testing.assert_allclose(found.measures(TIMES).loss[-1], 0.5 * (1.0 + 0.25), rtol=1e-14)


def test_leaving_a_saddle_is_said():
    start, task = aligned((3, 3, 3), [0.5, 0.4, 0.3], [-0.5 + 1e-6, 0.5, 0.2], [2, 1, 0.5], seed=1)
    assert "rounding grows up to" in answered(start, task).accuracy
    start, task = aligned((3, 3, 3), [0.5, 0.4, 0.3], [0.5, 0.5, 0.2], [2, 1, 0.5], seed=1)
    assert "grows" not in answered(start, task).accuracy


# What stays as it is


@pytest.mark.parametrize("white", [True, False])
def test_only_what_moves_has_to_be_aligned(white):
    # silent readout: W1 and cov_xx beside the task mode may be anything
    rng = np.random.default_rng(5)
    v, r, u = rotations((6, 5, 2), 5)
    rest = rng.standard_normal((4, 5))
    first = r @ np.block([[np.array([[0.6]]), np.zeros((1, 5))], [np.zeros((4, 1)), rest]]) @ v.T
    x = rng.standard_normal((9, 5))
    beside = np.block([[np.array([[0.8]]), np.zeros((1, 5))], [np.zeros((5, 1)), x.T @ x]])
    task = Task(1.3 * np.outer(u[:, 0], v[:, 0]), None if white else v @ beside @ v.T)
    start = Network(first)
    found, wanted = (
        answered(start, task).measures(TIMES),
        solve(start, task, "flow").measures(TIMES),
    )
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


def test_rotations_change_no_measure():
    sizes, a, b, s, q = CASES["variances"]
    start, task = aligned(sizes, a, b, s, q, seed=7)
    v, r, u = rotations(sizes, 8)
    turned = Network(r @ start.first @ v.T, u @ start.readout @ r.T)
    other = Task(u @ task.cov_yx @ v.T, v @ task.cov_xx @ v.T)
    one, two = (answered(*x).measures(TIMES) for x in ((start, task), (turned, other)))
    for x, y in zip(one, two, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)


# Many modes, faces and sizes


@pytest.mark.parametrize("flat", ["none", "start", "task"])
def test_many_modes(flat):
    n, rng = 60, np.random.default_rng(0)
    a, b, s = rng.standard_normal(n), rng.standard_normal(n), rng.uniform(0.3, 2.0, n)
    if flat == "start":
        a, b = np.full(n, 0.7), np.full(n, 0.1)
    if flat == "task":
        s = np.ones(n)
    start, task = aligned((n + 1, n + 3, n), a, b, s, seed=9)
    found = answered(start, task)
    state = modes.state(a, b, s, TIMES[:, None])
    np.testing.assert_allclose(
        found.measures(TIMES).weight_change_input,
        np.linalg.norm(state.change_first, axis=1),
        rtol=1e-11,
        atol=1e-13,
    )


FACES = {"csr": sp.csr_array, "operator": aslinearoperator, "dense": np.asarray}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("silent", [True, False])
def test_faces_of_the_first_layer(face, silent):
    b = [] if silent else [0.3, 0.1]
    start, task = aligned((6, 5, 2), [0.5, 1.0, 0.4, 0.3], b, [2.0, 1.0], seed=11)
    wanted = answered(start, task).measures(TIMES)
    for first in (FACES[face](start.first), start.factors):
        found = answered(Network(first, start.readout), task).measures(TIMES)
        for x, y in zip(found, wanted, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-13)


def test_a_thin_start_of_any_size():
    rng = np.random.default_rng(0)
    h, d, r = 20_000, 30_000, 6
    left, right = random_directions(h, r, rng), random_directions(d, r, rng)
    values = np.linspace(2.0, 1.0, r)
    task = Task(random_directions(2, 2, rng) * [1.0, 0.6] @ right[:, [1, 4]].T)
    found = answered(Network(Thin(left, values, right)), task).measures(TIMES)
    small = Network(np.diag(values))
    wanted = answered(small, Task(rectangle((2, 2), [1.0, 0.6]) @ np.eye(6)[[1, 4]])).measures(
        TIMES
    )
    for x, y in zip(found[:4], wanted[:4], strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.loss, wanted.loss, rtol=1e-11, atol=1e-25)


def test_a_large_sparse_start():
    n = 20_000
    first = sp.diags_array(np.linspace(1.0, 2.0, n)).tocsr()
    target = np.zeros((2, n))
    target[0, 3], target[1, 7] = 1.0, 0.5
    assert answered(Network(first), Task(target)).measures(np.array([np.inf])).loss[0] < 1e-25
    target[1, 4] = 1e-3
    assert isinstance(closed_modes(Network(first), Task(target)), str)


# What is refused


def test_a_gap_is_refused_with_its_size():
    rng = np.random.default_rng(6)
    start, task = aligned((6, 6, 6), rng.standard_normal(6), rng.standard_normal(6),
                          rng.uniform(0.3, 2.0, 6), seed=6)  # fmt: skip
    off = rng.standard_normal((6, 6))
    off *= np.linalg.norm(start.first) / np.linalg.norm(off)
    for gap in (1e-2, 1e-6, 1e-10, 1e-12):
        message = closed_modes(Network(start.first + gap * off, start.readout), task)
        assert isinstance(message, str)
        size = float(message.rpartition("differ by ")[2].split()[0])
        assert 0.05 * gap < size < 20.0 * gap
    for noise in (0.0, 1e-15):
        answered(Network(start.first + noise * off, start.readout), task)


@pytest.mark.parametrize("weak", [1e-3, 1e-8])
def test_a_weak_mode_must_be_aligned_beside_itself(weak):
    # a misalignment that ||W1|| hides would turn a weak mode altogether
    v, r, u = rotations((5, 4, 2), 12)
    for tilt in (100.0, 1e-2):
        small = rectangle((4, 5), [1.0, weak])
        small[1, 2] = tilt * weak
        task = Task(np.outer(u[:, 0], v[:, 1]))
        assert isinstance(closed_modes(Network(r @ small @ v.T), task), str)


def test_refused_ways_of_not_being_aligned():
    rng = np.random.default_rng(0)
    first, readout, target = (rng.standard_normal((4, 4)) for _ in range(3))
    v, r, u = rotations((4, 4, 4), 1)
    a, b, s = (
        np.diag([0.5, 1.0, 0.2, 0.7]),
        np.diag([0.3, 0.1, 0.6, 0.4]),
        np.diag([2, 1, 0.5, 0.3]),
    )
    swap = np.eye(4)[[1, 0, 2, 3]]
    cov = v @ np.diag([1.0, 2.0, 3.0, 4.0]) @ v.T
    turned = cov + 0.1 * (np.outer(v[:, 0], v[:, 1]) + np.outer(v[:, 1], v[:, 0]))
    cases = [
        (Network(first), Task(target)),
        (Network(first, readout), Task(target)),
        (Network(r @ a @ v.T, readout), Task(u @ s @ v.T)),
        (Network(r @ a @ v.T, u @ swap @ b @ r.T), Task(u @ s @ v.T)),  # W2 joins other modes
        (Network(r @ a @ v.T, u @ b @ r.T), Task(u @ s @ v.T, turned)),
        (Network(first, np.zeros((4, 4))), Task(target[:1])),
    ]
    for start, task in cases:
        message = closed_modes(start, task)
        assert isinstance(message, str)
        assert "do not share their modes: they differ by" in message
        assert shared_modes(start, task) == message


def test_weights_out_of_range_are_refused():
    message = closed_modes(Network([[1e72]], [[1.0]]), Task([1.0]))
    assert isinstance(message, str)
    assert "range of float64" in message


number = st.one_of(
    st.just(0.0),
    st.sampled_from([1.0, -1.0, 0.5, -0.5]),
    st.builds(lambda e, sign: sign * 10.0**e, st.floats(-12.0, 4.0), st.sampled_from([1.0, -1.0])),
)


@settings(max_examples=150)
@given(
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)),
    a=st.lists(number, min_size=6, max_size=6),
    b=st.lists(number, min_size=6, max_size=6),
    s=st.lists(number, min_size=6, max_size=6),
    q=st.one_of(st.none(), st.lists(st.floats(0.01, 100.0), min_size=6, max_size=6)),
    seed=st.integers(0, 10**6),
)
def test_no_nan_and_no_warning(sizes, a, b, s, q, seed):
    s = np.abs(s)
    if not np.any(s[: min(sizes[0], sizes[2])]):
        s[0] = 1.0
    start, task = aligned(sizes, a, b, s, None if q is None else q[: sizes[0]], seed=seed)
    found = closed_modes(start, task)
    if isinstance(found, str):
        return
    at = np.array([0.0, 1e-9, 1e-3, 1.0, 1e3, 1e9, np.inf])
    measures = found.measures(at)
    for name in ("weight_change", "weight_change_input", "weight_change_readout", "loss"):
        assert np.all(np.isfinite(getattr(measures, name)))
    assert measures.weight_change[0] == 0.0
    assert np.all(np.diff(measures.loss) <= 1e-12 * measures.loss[0])
    for values in (measures.representation_alignment, measures.kernel_alignment):
        known = values[~np.isnan(values)]
        assert np.all((known >= 0.0) & (known <= 1.0))
