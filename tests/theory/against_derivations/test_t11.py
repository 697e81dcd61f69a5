"""Where library and derivations meet: T11 at 50 digits, on weights that the library hands out."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from derivations.t01_gradient_flow import m
from derivations.t11_reduced_flow import B0, R0, Bt, Rt, S, a_start, t_now, t_start
from richlazy import deep
from richlazy.start.network import Network
from richlazy.two_layer.solve import solve
from tests.theory.against_derivations.matrix_claims import evaluated, furthest

CLAIMS = load("T11").claims
SCALES = [0.01, 1.0, 10.0]


def exactly(array):
    return mpmath.matrix(array.tolist())


def trace(matrix):
    return mpmath.fsum(matrix[i, i] for i in range(matrix.rows))


def cosine(claim, moments, both):
    """The claimed inner product of start and now, over the root of that of each with itself."""
    start, now = moments
    (r0, b0), (rt, bt) = start, now
    shared = {**both, R0: r0, Rt: rt, B0: b0, Bt: bt}
    alike = ({**both, R0: r, Rt: r, B0: b, Bt: b} for r, b in moments)
    sizes = [evaluated(claim, values) for values in alike]
    return evaluated(claim, shared) / mpmath.sqrt(sizes[0] * sizes[1])


def as_values(first, readout):
    """W1'W1 and W2 W2' with 50 digits, as arrays that `evaluated` takes."""
    first, readout = exactly(first), exactly(readout)
    return np.array((first.T * first).tolist()), np.array((readout * readout.T).tolist())


@pytest.mark.parametrize("route", ["solve", "deep"])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("white", [True, False])
def test_alignments_of_later_weights(agreement, random_case, scale, white, route):
    rng = np.random.default_rng([int(1e3 * scale), white])
    start, task = random_case(
        rng, scale, white=white, silent=False, inputs=4, hidden=3, outputs=2
    )  # fmt: skip
    cov = np.eye(task.inputs) if white else task.cov_xx
    times = np.array([0.2, 2.0]) / max(1.0, scale**2)
    if route == "solve":
        solution = solve(start, task, "flow")
        states = [solution.at(t) for t in times]
        weights = [(state.first(), state.readout) for state in states]
    else:
        solution = deep.solve([start.first, start.readout], task)
        weights = list(zip(*solution.weights(times), strict=True))
    for t, now in zip(times, weights, strict=True):
        with mpmath.workdps(50):
            moments = as_values(start.first, start.readout), as_values(*now)
            both = {S: cov, m: task.outputs}
            for name, claim in (
                ("representation_alignment", "gram_inner_product"),
                ("kernel_alignment", "kernel_inner_product"),
            ):
                wanted = cosine(CLAIMS[claim], moments, both)
                error = furthest(getattr(solution, name)(t), wanted)
                assert agreement(f"T11 {claim}", error) < 1e-12


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("method", ["flow", "krylov", "closed form"])
def test_the_readout_that_the_representation_gives(agreement, random_case, scale, method):
    """a^2 = a_0^2 + tr R_t - tr R_0, of one output (relative to the sum of what is added)."""
    rng = np.random.default_rng(int(1e3 * scale))
    silent = method != "flow"
    start, task = random_case(rng, scale, silent=silent, inputs=5, hidden=4, outputs=1)
    if method == "closed form":
        start = Network(scale * np.linalg.qr(start.first.T)[0].T)
    solution = solve(start, task, method)
    readout = 0.0 if silent else np.linalg.norm(start.readout)
    for t in (0.1, 3.0):
        representation = exactly(solution.representation(t))
        with mpmath.workdps(50):
            first = exactly(start.first)
            values = {
                a_start: readout,
                t_start: trace(first.T * first),
                t_now: trace(representation),
            }
            wanted = evaluated(CLAIMS["readout_squared_now"], values)
            size = values[t_start] + values[t_now]
            error = furthest(solution.readout(t).item(), wanted, size)
        assert agreement("T11 readout_squared_now", error) < 1e-9
