"""T8 holds, and its claims are where the flow goes as the start of any spectrum shrinks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from derivations import load

T8 = load("T8")


def test_every_step_holds():
    T8.check()


def moments(first, second):
    """Representation, readout and tangent kernel over (input, output)."""
    d, m = first.shape[1], second.shape[0]
    representation, readout = first.T @ first, second @ second.T
    kernel = np.kron(representation, np.eye(m)) + np.kron(np.eye(d), readout)
    return representation, readout, kernel


def cosine(a, b):
    return np.sum(a * b) / (np.linalg.norm(a) * np.linalg.norm(b))


def learned(first, task, end=60.0):
    """Weights at a late time of the flow of T1 from a silent readout."""
    (h, d), m = first.shape, task.shape[0]

    def flow(_, state):
        w1, w2 = state[: h * d].reshape(h, d), state[h * d :].reshape(m, h)
        error = task - w2 @ w1
        return np.concatenate([(w2.T @ error).ravel(), (error @ w1.T).ravel()])

    start = np.concatenate([first.ravel(), np.zeros(m * h)])
    state = solve_ivp(flow, (0, end), start, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    return state[: h * d].reshape(h, d), state[h * d :].reshape(m, h)


def case(seed, m):
    """W1(0)/sigma of norm 1 and a spectrum with no two values equal, and a task of m modes."""
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((5, 4)) * np.array([2.0, 1.0, 0.5, 0.2])
    strengths = np.array([1.6, 1.0, 0.7])[:m]
    right, _ = np.linalg.qr(rng.standard_normal((4, m)))
    left, _ = np.linalg.qr(rng.standard_normal((m, m)))
    return first / np.linalg.norm(first), left, strengths, right


def values(shape, strengths, right):
    start = shape.T @ shape
    return {
        "m": len(strengths),
        "d": shape.shape[1],
        "p": strengths.sum(),
        "q": np.sum(strengths**2),
        "T": np.trace(start),
        "Q": np.sum(start**2),
        "o": np.sum(strengths * np.diag(right.T @ start @ right)),
        "mu_1": right[:, 0] @ start @ right[:, 0],
    }


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_flow_tends_to_the_claims_quadratically_in_the_scale(seed, m):
    shape, left, strengths, right = case(seed, m)
    task = left @ np.diag(strengths) @ right.T
    known = values(shape, strengths, right)
    claims = [
        right @ np.diag(strengths) @ right.T,
        left @ np.diag(strengths) @ left.T,
        float(T8.evaluate("representation_alignment", **known)),
        float(T8.evaluate("kernel_alignment", **known)),
    ]
    errors = []
    for scale in (0.1, 0.05):
        first, second = learned(scale * shape, task)
        assert np.linalg.norm(task - second @ first) < 1e-9
        start = moments(scale * shape, np.zeros((m, 5)))
        end = moments(first, second)
        found = [end[0], end[1], cosine(start[0], end[0]), cosine(start[2], end[2])]
        errors.append([np.linalg.norm(a - b) for a, b in zip(found, claims, strict=True)])
    coarse, fine = np.array(errors)
    assert np.all(coarse < 0.05)
    # halving sigma quarters the distance, up to the logarithm in the time to escape
    assert np.all(fine < 0.4 * coarse)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_exact_squares_at_a_finite_scale(m):
    shape, left, strengths, right = case(3, m)
    task = left @ np.diag(strengths) @ right.T
    first, second = learned(1.5 * shape, task, end=200.0)
    representation, readout, _ = moments(first, second)
    start = 2.25 * shape @ shape.T
    assert np.allclose(readout @ readout, task @ task.T - second @ start @ second.T, atol=1e-8)
    assert np.allclose(
        representation @ representation, task.T @ task + first.T @ start @ first, atol=1e-8
    )


@pytest.mark.parametrize("m", [1, 2, 3])
def test_means_over_tasks_that_point_along_each_axis_in_turn(m):
    # An orthonormal basis has the second moment of the sphere, so the average over its
    # cyclic shifts is the average over all tasks of anything linear in v v'.
    shape, _, strengths, _ = case(5, m)
    d = shape.shape[1]
    axes = np.linalg.qr(np.random.default_rng(9).standard_normal((d, d)))[0]
    tasks = [np.roll(axes, k, axis=1)[:, :m] for k in range(d)]
    known = [values(shape, strengths, right) for right in tasks]
    average = np.mean([float(T8.evaluate("kernel_alignment", **x)) for x in known])
    assert float(T8.evaluate("mean_kernel_alignment", **known[0])) == pytest.approx(average)
    if m == 1:
        for name in ("kernel_alignment_one", "representation_alignment_one"):
            average = np.mean([float(T8.evaluate(name, **x)) for x in known])
            claimed = T8.evaluate(f"mean_{name}", T=known[0]["T"], Q=known[0]["Q"], d=d)
            assert float(claimed) == pytest.approx(average)


@pytest.mark.parametrize("d", [1, 2, 30])
def test_the_participation_ratio_is_d_only_for_equal_eigenvalues(d):
    rng = np.random.default_rng(d)
    for spread in (0.0, 0.5):
        eigenvalues = 1.0 + spread * rng.random(d)
        pairs = np.sum((eigenvalues[:, None] - eigenvalues) ** 2) / 2
        sums = {"T": eigenvalues.sum(), "Q": np.sum(eigenvalues**2)}
        ratio = float(T8.evaluate("participation_ratio", **sums))
        by_spread = T8.evaluate("participation_ratio_by_spread", d=d, T=sums["T"], Delta=pairs)
        assert ratio == pytest.approx(float(by_spread), rel=1e-13)
        assert (ratio < d - 1e-9) == (spread > 0 and d > 1)


def one_task(shape, right, scale):
    """Moments of the start along the task, and the measures at the rich limit."""
    start = scale**2 * shape.T @ shape
    known = {f"mu_{k}": right @ np.linalg.matrix_power(start, k) @ right for k in (1, 2, 3)}
    return known | {
        "T": np.trace(start),
        "Q": np.sum(start**2),
        "d": shape.shape[1],
        "g": 1.6,
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_first_correction_of_any_spectrum(seed):
    shape, left, strengths, right = case(seed, 1)
    task = left @ np.diag(strengths) @ right.T
    names = ("representation", "kernel")
    plain, corrected = [], []
    for scale in (0.1, 0.05, 0.025):
        first, second = learned(scale * shape, task)
        start = moments(scale * shape, np.zeros((1, 5)))
        end = moments(first, second)
        known = one_task(shape, right[:, 0], scale)
        for results, order in ((plain, 0), (corrected, 1)):
            for name, index in zip(names, (0, 2), strict=True):
                limit = float(T8.evaluate(f"{name}_alignment_one", **known))
                factor = 1 + order * float(T8.evaluate(f"{name}_correction", **known))
                results.append(cosine(start[index], end[index]) / limit / factor - 1)
    plain, corrected = (np.abs(np.reshape(x, (3, 2))) for x in (plain, corrected))
    assert np.all(corrected[1:] < 0.2 * plain[1:])
    # a quarter of the scale: sigma^2 would leave a sixteenth, sigma^3 leaves a sixty-fourth
    assert np.all(corrected[-1] < corrected[0] / 30)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_exact_norms_at_a_finite_scale(m):
    shape, left, strengths, right = case(4, m)
    first, second = learned(1.5 * shape, left @ np.diag(strengths) @ right.T, end=200.0)
    representation, readout, kernel = moments(first, second)
    known = values(1.5 * shape, strengths, right)
    known |= {"b": np.trace(readout), "b_2": np.sum(readout**2)}
    found = {
        "representation_trace_exact": np.trace(representation),
        "representation_norm_squared_exact": np.sum(representation**2),
        "kernel_norm_squared_exact": np.sum(kernel**2),
    }
    for name, value in found.items():
        assert float(T8.evaluate(name, **known)) == pytest.approx(value, rel=1e-8), name
