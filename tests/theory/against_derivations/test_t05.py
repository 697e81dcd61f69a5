"""Where library and derivations meet: T5's functions against its claims at 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from richlazy.two_layer.riccati import Balanced
from richlazy.two_layer.transport import transported

PARTS = ("neuron_first", "neuron_across_first", "neuron_readout", "neuron_across_readout")
TIMES = (1e-4, 0.1, 1.0, 30.0)


@pytest.fixture(scope="module")
def t5():
    return load("T5")


def random_neurons(count, seed):
    """(a0, w0, b0, z0, s), the layers of any sign, size and ratio."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        weights = 10.0 ** rng.uniform(-3, 0.7, 4) * rng.choice([-1, 1], 4)
        yield (*weights, 10.0 ** rng.uniform(-1, 1))


EXTREMES = [
    (1e-8, 1e-6, 1e-7, 1e-9, 1.0),
    (30.0, 1e-3, 20.0, 5.0, 0.3),
    (1e-3, 8.0, 1e-3, 0.01, 2.0),
    (0.7, 1e-5, 0.7, 2e-5, 1.5),
    (-4.0, 0.5, -1e-3, 3.0, 0.2),
]


def values_of(start):
    a0, w0, b0, z0, s = (mpmath.mpf(float(part)) for part in start)
    level = b0**2 + z0**2 - a0**2 - w0**2
    # The claims divide by lambda; their limit at 0 to far below the last digit compared.
    return {"a0": a0, "w0": w0, "b0": b0, "z0": z0, "s": s, "lambda": level or mpmath.mpf("1e-60")}


def layers(start, shape):
    """W1, W2 and cov_yx of one neuron with as many directions across the mode as shape says."""
    a0, w0, b0, z0, s = start
    d, m = shape
    task = np.zeros((m, d))
    task[0, 0] = s
    return np.array([[a0, w0][:d]]), np.array([[b0], [z0]][:m]), task


def alone(start, shape):
    """The start with the parts that the shape has no room for left out."""
    a0, w0, b0, z0, s = start
    return a0, w0 if shape[0] > 1 else 0.0, b0, z0 if shape[1] > 1 else 0.0, s


def claimed(t5, start, shape, t):
    """The weights [W1'; W2] of the neuron, by the claims; 120 digits, as these cancel."""
    values = values_of(start)
    parts = [t5.evaluate(name, digits=120, t=t, **values) for name in PARTS]
    return mpmath.matrix([*parts[: shape[0]], *parts[2 : 2 + shape[1]]])


def furthest(found, wanted):
    """Largest difference of two matrices over the largest entry of the second."""
    gap = mpmath.matrix(found.tolist()) - wanted
    return float(max(abs(g) for g in gap) / max(abs(w) for w in wanted))


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("start", [*random_neurons(6, seed=5), *EXTREMES])
def test_one_neuron(t5, agreement, start, shape):
    start = alone(start, shape)
    with mpmath.workdps(50):
        moments = Balanced(*layers(start, shape)).second_moment(np.array(TIMES))
        for t, moment in zip(TIMES, moments, strict=True):
            wanted = claimed(t5, start, shape, t)
            error = furthest(moment, wanted * wanted.T)
            assert agreement("T5 neuron", error) < 1e-13, t


@pytest.mark.parametrize("start", [*random_neurons(4, seed=6), *EXTREMES])
def test_transport_gives_the_weights_of_one_neuron(t5, agreement, start):
    shape = (2, 2)
    balanced = Balanced(*layers(start, shape))
    basis_in, basis_out = balanced.bases
    rate = 2.0 * float(np.sum(np.square(start[:4])) + start[4])
    weights, _ = transported(
        lambda t: np.concatenate(balanced.factors(t), axis=1), np.array(TIMES), rate
    )
    split = basis_in.shape[1]
    with mpmath.workdps(50):
        for t, q in zip(TIMES, weights, strict=True):
            found = (
                np.concatenate([basis_in @ q[:split], basis_out @ q[split:]]) @ balanced.hidden.T
            )
            error = furthest(found, claimed(t5, start, shape, t))
            assert agreement("T5 neuron by transport", error) < 1e-13, t


@pytest.mark.parametrize("start", [*random_neurons(8, seed=7), *EXTREMES])
def test_one_neuron_at_the_end(t5, agreement, start):
    with mpmath.workdps(50):
        values = values_of(start)
    moment = Balanced(*layers(start, (2, 2))).second_moment(np.array([np.inf]))[0]
    entries = {
        "final_first_squared": (0, 0),
        "final_map": (2, 0),
        "final_readout_squared": (2, 2),
    }
    size = np.abs(moment).max()
    with mpmath.workdps(50):
        for name, place in entries.items():
            wanted = t5.evaluate(name, digits=100, **values)
            error = abs(moment[place] - wanted) / size
            assert agreement(f"T5 {name}", error) < 1e-13, name
            moment[place] = moment[place[::-1]] = 0.0
    assert np.abs(moment).max() < 1e-13 * size


# W1 W1' and W2'W2 are multiples of I without rounding, so that the start is balanced exactly.
TURN = np.array([[1.0, 2.0], [2.0, -1.0]])
OTHER_TURN = np.array([[2.0, 1.0], [-1.0, 2.0]])


def by_claims(t5, first, readout, task, level, t):
    """Q Q'(t) of T5's diagonal form, from the claims for each of its scalars."""
    matrix = mpmath.matrix(task.tolist())
    u, strengths, v = mpmath.svd_r(matrix)
    exponents, vectors = [], []
    for i, s in enumerate(strengths):
        kappa, alpha, beta = (
            t5.evaluate(name, s=s, **{"lambda": level})
            for name in ("growth_rate", "growing_first", "growing_readout")
        )
        exponents += [kappa, -kappa]
        right, left = list(v[i, :]), list(u[:, i])
        vectors.append([alpha * x for x in right] + [beta * x for x in left])
        vectors.append([beta * x for x in right] + [-alpha * x for x in left])
    basis = mpmath.matrix(vectors).T
    growth, scale = (
        mpmath.diag([t5.evaluate(name, x=x, t=t) for x in exponents])
        for name in ("growth", "scale")
    )
    grown = growth * basis.T * mpmath.matrix(np.concatenate([first.T, readout]).tolist())
    inverse = (mpmath.eye(2) + grown.T * grown) ** -1
    return basis * scale * grown * inverse * grown.T * scale * basis.T


@pytest.mark.parametrize(
    "sizes", [(0.25, 0.125), (0.125, 2.0), (4.0, 0.5), (0.5, 0.0), (2**-9, 2**-8)]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_two_neurons_that_compete(t5, agreement, sizes, seed):
    first, readout = sizes[0] * TURN, sizes[1] * OTHER_TURN
    level = mpmath.mpf(5 * (sizes[1] ** 2 - sizes[0] ** 2))
    task = np.random.default_rng(seed).standard_normal((2, 2))
    times = (*TIMES[:3], 3.0)
    moments = Balanced(first, readout, task).second_moment(np.array(times))
    with mpmath.workdps(50):
        for t, moment in zip(times, moments, strict=True):
            wanted = by_claims(t5, first, readout, task, level, mpmath.mpf(t))
            assert agreement("T5 second_moment", furthest(moment, wanted)) < 1e-13, t


@pytest.mark.parametrize("sizes", [(0.25, 0.125), (0.125, 2.0), (4.0, 0.5), (0.5, 0.0)])
def test_two_neurons_learn_two_modes(t5, agreement, sizes):
    task = np.random.default_rng(3).standard_normal((2, 2))
    found = Balanced(sizes[0] * TURN, sizes[1] * OTHER_TURN, task)
    moment = found.second_moment(np.array([np.inf]))[0]
    with mpmath.workdps(50):
        level = mpmath.mpf(5 * (sizes[1] ** 2 - sizes[0] ** 2))
        u, strengths, v = mpmath.svd_r(mpmath.matrix(task.tolist()))
        shares = {}
        for name in ("final_first_squared", "final_readout_squared", "final_map"):
            values = [t5.evaluate(name, s=s, **{"lambda": level}) for s in strengths]
            shares[name] = mpmath.diag(values)
        blocks = {
            (0, 0): v.T * shares["final_first_squared"] * v,
            (2, 2): u * shares["final_readout_squared"] * u.T,
            (2, 0): u * shares["final_map"] * v,
        }
        for (row, column), wanted in blocks.items():
            error = furthest(moment[row : row + 2, column : column + 2], wanted)
            assert agreement("T5 final second_moment", error) < 1e-13


@pytest.mark.parametrize("level", [-40.0, -0.3, 1e-9, 0.8, 1e3])
def test_the_level_is_found(agreement, level):
    small, large = 0.3, float(np.sqrt(0.09 + abs(level)))
    first, readout = (small, large) if level > 0 else (large, small)
    found = Balanced(np.array([[first]]), np.array([[readout]]), np.ones((1, 1)))
    with mpmath.workdps(50):
        exact = mpmath.mpf(readout) ** 2 - mpmath.mpf(first) ** 2
        error = abs(found.level - exact) / abs(exact)
        assert agreement("T1 conserved", error) < 1e-15
