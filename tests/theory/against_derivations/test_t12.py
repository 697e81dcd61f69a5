"""Where library and derivations meet: T12's forgetting and lengths against its claims."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from derivations.t01_gradient_flow import W1, W2, d, h, m
from derivations.t12_sequences import BEST, INPUTS, MAP, W1_start, W2_start
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.sequences import path_length, sequence
from richlazy.two_layer.solve import solve
from tests.theory.against_derivations.matrix_claims import evaluated, furthest

T12 = load("T12")
MODES = [(1e-3, 0.5), (0.05, 1.0), (1.0, 2.0), (3.0, 0.4), (30.0, 7.0)]  # a_0, s


def trained(white, until, scale=0.7):
    """Two tasks one after another, and the numbers of T12 at the ends of their stages."""
    rng = np.random.default_rng([white, int(10 * scale)])
    tasks, values = [], {d: 4, h: 3, m: 2}
    for name in "AB":
        x = rng.standard_normal((12, 4))
        best = rng.standard_normal((2, 4)) / 3.0
        tasks.append(Task.teacher(best, None if white else x.T @ x / 12))
        values |= {BEST[name]: best, INPUTS[name]: np.eye(4) if white else tasks[-1].cov_xx}
    first, readout = scale * rng.standard_normal((3, 4)), scale * rng.standard_normal((2, 3))
    return sequence(Network(first, readout), tasks, until), values


@pytest.mark.parametrize("scale", [0.1, 0.7, 4.0])
@pytest.mark.parametrize("white", [True, False])
def test_forgetting_and_weight_change_of_the_weights_handed_out(agreement, white, scale):
    run, values = trained(white, 2.0, scale)
    with mpmath.workdps(50):
        for name, stage in zip("AB", run.stages, strict=True):
            first, readout = (
                mpmath.matrix(w.tolist()) for w in (stage.end.first, stage.end.readout)
            )
            values[MAP[name]] = np.array((readout * first).tolist())
            before = stage.solution.start
            values |= {W1: stage.end.first, W2: stage.end.readout}
            values |= {W1_start: before.first, W2_start: before.readout}
            wanted = mpmath.sqrt(evaluated(T12.claims["weight_change_squared"], values))
            # the difference of weights that are known to rounding
            size = max(wanted, np.linalg.norm(before.first))
            error = furthest(stage.laziness.weight_change, wanted, size)
            assert agreement("T12 weight_change_squared", error) < 1e-14
            conserved = evaluated(T12.claims["imbalance"], values)
            size = np.sum(stage.end.first**2) + np.sum(stage.end.readout**2)
            error = furthest(stage.end.conserved, conserved, size)
            assert agreement("T12 imbalance", error) < 1e-14
        wanted = evaluated(T12.claims["forgetting"], values)
        error = furthest(run.forgetting[1, 0], wanted, run.initial_losses[0])
    assert agreement("T12 forgetting", error) < 1e-14


@pytest.mark.parametrize("white", [True, False])
def test_forgetting_of_tasks_learned_to_the_end(agreement, white):
    run, values = trained(white, np.inf)
    with mpmath.workdps(50):
        wanted = evaluated(T12.claims["forgetting_of_learned_tasks"], values)
        error = furthest(run.forgetting[1, 0], wanted)
    # the flow ends where its rate is rounding
    assert agreement("T12 forgetting_of_learned_tasks", error) < 1e-9


@pytest.mark.parametrize("norm", [0.01, 1.0, 20.0])
@pytest.mark.parametrize("cosine", [-0.6, 0.0, 0.8])
def test_forgetting_of_one_output(agreement, norm, cosine):
    tasks = [Task([1.2, 0.0, 0.0]), Task(0.7 * np.array([cosine, np.sqrt(1 - cosine**2), 0.0]))]
    run = sequence(Network(norm * np.eye(3)), tasks)
    wanted = T12.evaluate("forgetting_one_output", g_A=1.2, g_B=0.7, rho=cosine)
    error = furthest(run.forgetting[1, 0], wanted)
    assert agreement("T12 forgetting_one_output", error) < 1e-9


@pytest.mark.parametrize(("a0", "s"), MODES)
def test_the_path_of_a_mode(agreement, a0, s):
    solution = solve(Network([[a0]]), Task([s]))
    for t in (0.01 / s, 1.0 / s, np.inf):
        b = float(solution.at(t).readout.item())
        wanted = T12.evaluate("mode_path_length", a_0=a0, b=b)
        error = furthest(path_length(solution, t), wanted)
        assert agreement("T12 mode_path_length", error) < 1e-8


@pytest.mark.parametrize(("a0", "s"), MODES)
def test_the_end_of_a_mode(agreement, a0, s):
    solution = solve(Network([[a0]]), Task([s]))
    wanted = T12.evaluate("mode_readout_final", digits=80, a_0=a0, s=s)
    error = furthest(solution.at(np.inf).readout.item(), wanted)
    assert agreement("T12 mode_readout_final", error) < 1e-13
