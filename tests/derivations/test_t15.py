"""T15 holds, and its small networks do what the flow of the large ones does."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from derivations import load

T15 = load("T15")
T6 = load("T6")
TIMES = (0.2, 1.0, 4.0)


def test_every_step_holds():
    T15.check()


def bidiagonalised(first, task, order):
    """U, V with W1(0) V_k = U B_k and W1(0)'U = V B', by the recursion alone."""
    right, left = [task / np.linalg.norm(task)], []
    for _ in range(order):
        for basis, image in (
            (left, lambda: first @ right[-1]),
            (right, lambda: first.T @ left[-1]),
        ):
            step = image()
            for vector in basis + basis:
                step = step - vector * (vector @ step)
            basis.append(step / np.linalg.norm(step))
    return np.array(left).T, np.array(right).T


def flowed(first, task, times):
    """The flow of T1, one output, silent readout, white inputs."""
    h, d = first.shape

    def flow(_, state):
        weights, readout = state[: h * d].reshape(h, d), state[h * d :]
        error = task - readout @ weights
        return np.concatenate([np.outer(readout, error).ravel(), weights @ error])

    start = np.concatenate([first.ravel(), np.zeros(h)])
    solved = solve_ivp(
        flow, (0, max(times)), start, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-14
    )
    return [(y[: h * d].reshape(h, d), y[h * d :]) for y in solved.y.T]


@pytest.mark.parametrize(("h", "d", "rank"), [(7, 9, 2), (4, 6, 4), (9, 5, 3)])
def test_at_breakdown_the_small_network_is_the_large_one(h, d, rank):
    rng = np.random.default_rng(h * d)
    first = rng.standard_normal((h, rank)) @ rng.standard_normal((rank, d)) / np.sqrt(d)
    task = rng.standard_normal(d)
    left, right = bidiagonalised(first, task, rank)  # task outside the row space: ends at V
    small = left.T @ first @ right
    pairs = zip(flowed(first, task, TIMES), flowed(small, right.T @ task, TIMES), strict=True)
    for (weights, readout), (small_weights, small_readout) in pairs:
        moved = left @ (small_weights - small) @ right.T
        np.testing.assert_allclose(weights - first, moved, rtol=0, atol=1e-9)
        np.testing.assert_allclose(readout, left @ small_readout, rtol=0, atol=1e-9)


def test_without_breakdown_it_is_not():
    rng = np.random.default_rng(3)
    first, task = rng.standard_normal((6, 8)), rng.standard_normal(8)
    left, right = bidiagonalised(first, task, 2)
    (weights, _), (small, _) = (
        flowed(x, y, (1.0,))[0]
        for x, y in ((first, task), (left.T @ first @ right, right.T @ task))
    )
    assert np.linalg.norm(weights - first) > 0.1
    assert abs(np.linalg.norm(weights) - np.linalg.norm(first)) > 0.01
    assert np.linalg.norm(left.T @ weights @ right - small) > 1e-3


def series(spectrum, task, top):
    """Taylor coefficients of the loss and of |W2|^2 of a diagonal start, from T1 itself."""
    size = len(spectrum)
    zero = mpmath.mpf(0)
    layer = [[[x if i == j else zero for j in range(size)] for i, x in enumerate(spectrum)]]
    readout, error = [[zero] * size], [list(task)]
    for n in range(top):
        weight = mpmath.mpf(1) / (n + 1)
        rate = [
            sum(layer[k][i][j] * error[n - k][j] for k in range(n + 1) for j in range(size))
            for i in range(size)
        ]
        layer.append(
            [
                [weight * sum(readout[k][i] * error[n - k][j] for k in range(n + 1))
                 for j in range(size)]
                for i in range(size)
            ]
        )  # fmt: skip
        readout.append([weight * x for x in rate])
        error.append(
            [
                -sum(
                    readout[k][i] * layer[n + 1 - k][i][j]
                    for k in range(n + 2)
                    for i in range(size)
                )
                for j in range(size)
            ]
        )

    def square(path, n):
        return sum(path[k][j] * path[n - k][j] for k in range(n + 1) for j in range(size))

    return [[square(error, n) / 2 for n in range(top + 1)],
            [square(readout, n) for n in range(top + 1)]]  # fmt: skip


def small_start(spectrum, task, order):
    """B of a diagonal start and its next diagonal entry, with mpmath."""
    right, left = [task / mpmath.norm(task)], []
    diagonal, above = [], []
    scale = mpmath.diag(spectrum)
    for k in range(order + 1):
        step = scale * right[-1]
        for vector in left:
            step -= vector * (vector.T * step)[0]
        diagonal.append(mpmath.norm(step))
        left.append(step / diagonal[-1])
        if k < order:
            step = scale * left[-1]
            for vector in right:
                step -= vector * (vector.T * step)[0]
            above.append(mpmath.norm(step))
            right.append(step / above[-1])
    return diagonal, above


@pytest.mark.parametrize("order", [1, 2, 4])
def test_a_cut_chain_is_first_wrong_where_the_claim_says(order):
    """The series of a small network from its own R: a square root of B'B as the first layer."""
    with mpmath.workdps(60):
        spectrum = [mpmath.mpf(x) / 10 for x in (3, 7, 11, 14, 19, 23)]
        task = mpmath.matrix([mpmath.mpf(x) / 8 for x in (5, -3, 4, 7, -2, 6)])
        length, top = mpmath.norm(task), 2 * order + 1
        diagonal, above = small_start(spectrum, task, order)
        size = order + 1
        small = mpmath.zeros(size, size)
        for i in range(order):
            small[i, i], small[i, i + 1] = diagonal[i], above[i]
        values, vectors = mpmath.eigsy(small.T * small)
        # In the basis of its right singular vectors the small first layer is diagonal as well.
        small_task = [length * vectors[0, i] for i in range(size)]
        roots = [mpmath.sqrt(abs(x)) for x in values]
        large = series(spectrum, list(task), top + 1)
        cut = series(roots, small_task, top + 1)
        reach = mpmath.fprod(x * y for x, y in zip(diagonal[:order], above, strict=True)) ** 2
        given = {"g": length, "k": order, "rho": diagonal[order] ** 2, "reach": reach, "t": 1}
        for which, (name, first) in enumerate((("loss_gap", top), ("readout_gap", top + 1))):
            gaps = [x - y for x, y in zip(large[which], cut[which], strict=True)]
            assert all(
                abs(gap) < mpmath.mpf("1e-25") * (1 + abs(x))
                for gap, x in zip(gaps[:first], large[which], strict=False)
            )
            claimed = T15.evaluate(name, digits=60, **given)
            assert abs(gaps[first] - claimed) < mpmath.mpf("1e-25") * abs(claimed)
            assert (claimed > 0) == (name == "readout_gap")


def moments(second, direction):
    return {f"mu{j}": direction @ np.linalg.matrix_power(second, j) @ direction for j in (1, 2, 3)}


@pytest.mark.parametrize("seed", range(3))
def test_first_order_against_matrices(seed):
    rng = np.random.default_rng(seed)
    h, d, length, t = 5, 7, 1.3, 0.8
    first = rng.standard_normal((h, d)) / 2
    direction = rng.standard_normal(d)
    direction /= np.linalg.norm(direction)
    second = first.T @ first
    known = moments(second, direction)
    left, right = bidiagonalised(first, direction, 1)
    small = left.T @ first @ right
    weights, readout = flowed(small, np.array([length, 0.0]), (t,))[0]
    neuron = {
        "sigma": T15.evaluate("start_squared_1", **known) ** mpmath.mpf("0.5"),
        "r": 1, "c": T15.evaluate("alignment_1", **known), "g": length, "t": t,
    }  # fmt: skip
    state = {
        name: T6.evaluate(f"active_{x}", **neuron)
        for name, x in (("w_par", "parallel"), ("w_perp", "orthogonal"), ("a", "readout"))
    }
    np.testing.assert_allclose([float(state["w_par"]), float(state["w_perp"])], weights[0])
    np.testing.assert_allclose(float(state["a"]), readout[0])

    now = second + right @ (weights.T @ weights - small.T @ small) @ right.T
    eye = np.eye(d)
    kernels = second, now + readout[0] ** 2 * eye
    given = known | state | {"p1": np.trace(second), "p2": np.sum(second**2), "d": d}
    for name, (before, after) in {
        "representation_alignment_1": (second, now),
        "kernel_alignment_1": kernels,
    }.items():
        cosine = np.sum(before * after) / np.linalg.norm(before) / np.linalg.norm(after)
        assert float(T15.evaluate(name, **given)) == pytest.approx(cosine, rel=1e-9)
    assert float(T15.evaluate("representation_trace_1", **given)) == pytest.approx(np.trace(now))
    changed = np.sum((weights - small) ** 2) + readout[0] ** 2
    assert float(T15.evaluate("weight_change_squared_1", **given)) == pytest.approx(changed)
    beyond = first @ right[:, 1] - left @ (left.T @ first @ right[:, 1])
    assert float(T15.evaluate("coupling_1", **known)) == pytest.approx(beyond @ beyond)


@pytest.mark.parametrize(("r", "d", "s", "g"), [(1, 4, 0.3, 1.0), (5, 60, 1.7, 2.0), (8, 8, 40, 1)])
def test_the_law_of_a_flat_start_is_t6(r, d, s, g):
    with mpmath.workdps(50):
        trace = {"p1": r * mpmath.mpf(s) ** 2, "p2": r * mpmath.mpf(s) ** 4, "d": d, "g": g}
        flat = {"sigma": mpmath.sqrt(r) * s, "r": r, "c": mpmath.mpf(r) / d, "d": d, "g": g}
        for name in ("representation_alignment_final", "kernel_alignment_final"):
            gap = T15.evaluate(f"law_{name}", **trace) / T6.evaluate(name, **flat) - 1
            assert abs(gap) < mpmath.mpf("1e-40")
        assert abs(T15.evaluate("participation_ratio", **trace) - r) < mpmath.mpf("1e-40")
