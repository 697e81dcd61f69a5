"""T12: one network on a sequence of tasks; forgetting, and what the weights' path costs."""

from __future__ import annotations

import sympy as sp
from sympy import (
    Identity,
    MatrixSymbol,
    Trace,
    ZeroMatrix,
    atan,
    elliptic_e,
    elliptic_f,
    sin,
    sqrt,
    tan,
)

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Derivation, Step
from derivations.frame.matrix_words import expand_traces, orthonormal, rate_of_change
from derivations.t01_gradient_flow import DERIVATION as T1
from derivations.t01_gradient_flow import W1, W2, B, G, R, Sxx, Syx, d, h, m

__all__ = ["BEST", "DERIVATION", "INPUTS", "MAP"]

n, p = sp.symbols("n p", integer=True, positive=True)
TASKS = ("A", "B")
BEST = {task: MatrixSymbol(f"W*{task}", m, d) for task in TASKS}
INPUTS = {task: MatrixSymbol(f"Sxx{task}", d, d) for task in TASKS}
SAMPLES = {task: MatrixSymbol(f"X{task}", d, n) for task in TASKS}
ERROR = {task: MatrixSymbol(f"E{task}", m, d) for task in TASKS}
MAP = {task: MatrixSymbol(f"P{task}", m, d) for task in TASKS}  # W2 W1 after this task
W1_start, W2_start = MatrixSymbol("W1(0)", h, d), MatrixSymbol("W2(0)", m, h)

direction, across = MatrixSymbol("nu", p, 1), MatrixSymbol("zeta", p, 1)
FRAME = orthonormal(direction) | {
    ((direction, True), (across, False)): 0,
    ((across, True), (direction, False)): 0,
}
x_A, x_B = MatrixSymbol("x_A", d, 1), MatrixSymbol("x_B", d, 1)

lam, along, cosine = sp.symbols("lambda c rho", real=True)
length, t, loss_start, loss_end, path = sp.symbols("l t L_0 L_t ell", positive=True)
a, b, s = sp.symbols("a b s", positive=True)
a0, phi = sp.symbols("a_0 phi", positive=True)
g_A, g_B = sp.symbols("g_A g_B", positive=True)


def _loss_of(task, product):
    return Trace((BEST[task] - product) * INPUTS[task] * (BEST[task] - product).T) / 2


FORMULAS = {
    "imbalance": W2.T * W2 - W1 * W1.T,
    "lifted_rate_first": -lam / 2 * W1.T + Syx.T * W2 - W1.T * (W1 * W1.T + W2.T * W2) / 2,
    "lifted_rate_second": lam / 2 * W2 + Syx * W1.T - W2 * (W1 * W1.T + W2.T * W2) / 2,
    "forgetting": _loss_of("A", MAP["B"]) - _loss_of("A", MAP["A"]),
    "forgetting_of_learned_tasks": Trace(
        (BEST["A"] - BEST["B"]) * INPUTS["A"] * (BEST["A"] - BEST["B"]).T
    )
    / 2,
    "forgetting_one_output": (g_A**2 + g_B**2 - 2 * g_A * g_B * cosine) / 2,
    "error_A": (BEST["A"] - W2 * W1) * INPUTS["A"],
    "error_B": (BEST["B"] - W2 * W1) * INPUTS["B"],
    "representation": W1.T * W1,
    "readout": W2 * W2.T,
    "loss_rate_of_A_during_B": -Trace(ERROR["A"].T * B * ERROR["B"])
    - Trace(ERROR["A"] * R * ERROR["B"].T),
    "weight_change_squared": Trace((W1 - W1_start) * (W1 - W1_start).T)
    + Trace((W2 - W2_start) * (W2 - W2_start).T),
    "speed_squared": Trace(ERROR["B"].T * B * ERROR["B"]) + Trace(ERROR["B"] * R * ERROR["B"].T),
    "speed_squared_split": along**2 + Trace(across.T * across),
    "weight_change_rate": along,
    "speed_variance": (loss_start - loss_end) / t - (path / t) ** 2,
    "path_bound_squared": t * (loss_start - loss_end),
    "mode_speed_squared": (s - a * b) ** 2 * (a**2 + b**2),
    "mode_path_density": sqrt(1 + b**2 / (b**2 + a0**2)),
    "path_angle": atan(b / a0),
    "mode_path_length": a0
    * (tan(phi) * sqrt(1 + sin(phi) ** 2) + elliptic_f(phi, -1) - elliptic_e(phi, -1)),
    "mode_readout_final": sqrt(sqrt(s**2 + a0**4 / 4) - a0**2 / 2),
}


def _flows(task):
    """T1's flow on one of the tasks."""
    meaning = {Syx: BEST[task] * INPUTS[task], Sxx: INPUTS[task]}
    return {W: T1.claims[f"flow_{i}"].xreplace(meaning) for i, W in ((1, W1), (2, W2))}


def _over_data(expression):
    return expression.xreplace({INPUTS[x]: SAMPLES[x] * SAMPLES[x].T for x in TASKS})


def _imbalance(imbalance):
    return [
        *(rate_of_change(imbalance, _flows(task)) for task in TASKS),
        imbalance.xreplace({W1: ZeroMatrix(h, d)}) - W2.T * W2,
        imbalance.xreplace({W2: ZeroMatrix(m, h)}) + W1 * W1.T,
    ]


def _lift(imbalance, lifted_rate_first, lifted_rate_second):
    # The flow up to a multiple of D - lambda I, which is 0 on a lambda-balanced network.
    excess = imbalance - lam * Identity(h)
    first, second = (T1.claims[f"flow_{i}"].xreplace({Sxx: Identity(d)}) for i in (1, 2))
    return [
        lifted_rate_first - first.T - W1.T * excess / 2,
        lifted_rate_second - second + W2 * excess / 2,
    ]


def _forgetting(forgetting, forgetting_of_learned_tasks):
    before, after = (
        T1.formulas["loss"].xreplace({G: BEST["A"] - MAP[task], Sxx: INPUTS["A"]}) for task in TASKS
    )
    learned = forgetting.xreplace({MAP[task]: BEST[task] for task in TASKS})
    return [
        forgetting - (after - before),
        forgetting.xreplace({MAP["B"]: MAP["A"]}),
        forgetting_of_learned_tasks - learned,
    ]


def _one_output(forgetting_of_learned_tasks, forgetting_one_output):
    for_one = forgetting_of_learned_tasks.xreplace({m: sp.S.One})
    tasks = {"A": g_A * x_A.T, "B": g_B * x_B.T}
    meaning = {BEST[task].xreplace({m: sp.S.One}): row for task, row in tasks.items()}
    units = orthonormal(x_A) | orthonormal(x_B)
    white = for_one.xreplace({**meaning, INPUTS["A"]: Identity(d)})
    overlap = expand_traces(Trace(x_A.T * x_B), units)
    return expand_traces(white, units).subs(overlap, cosine) - forgetting_one_output


def _interference(
    closed,
    error_A,
    error_B,
    representation,
    readout,
    loss_rate_of_A_during_B,
):
    loss = _loss_of("A", W2 * W1)
    return [
        *(
            _over_data(error - T1.claims["error"].xreplace({Syx: best * inputs, Sxx: inputs}))
            for error, best, inputs in (
                (error_A, BEST["A"], INPUTS["A"]),
                (error_B, BEST["B"], INPUTS["B"]),
            )
        ),
        representation - T1.claims["representation"],
        readout - T1.claims["readout"],
        _over_data(rate_of_change(loss, _flows("B")) - closed(loss_rate_of_A_during_B)),
    ]


def _weight_change(weight_change_squared):
    starts = ((W1, W1_start), (W2, W2_start))
    squares = sum(
        Trace(now.T * now) + Trace(start.T * start) - 2 * Trace(now.T * start)
        for now, start in starts
    )
    return weight_change_squared - squares


def _speed(closed, speed_squared):
    flows = _flows("B")
    squares = sum(Trace(rate.T * rate) for rate in flows.values())
    loss = rate_of_change(_loss_of("B", W2 * W1), flows)
    return [_over_data(closed(speed_squared) - squares), _over_data(closed(speed_squared) + loss)]


def _chord(speed_squared_split, weight_change_rate):
    velocity, change = along * direction + across, MatrixSymbol("x", p, 1)
    # (|x|^2)' = 2 x'v and, with |x| = l, it is 2 l l'
    rate = rate_of_change(Trace(change.T * change), {change: velocity})
    on_place = expand_traces(rate.xreplace({change: length * direction}), FRAME)
    return [
        expand_traces(Trace(velocity.T * velocity) - speed_squared_split, FRAME),
        on_place - 2 * length * weight_change_rate,
    ]


def _bound(speed_variance, path_bound_squared):
    # The mean over time of (v - mean)^2, from the means of v and of v^2.
    mean, mean_square = path / t, (loss_start - loss_end) / t
    return [
        speed_variance - (mean_square - 2 * mean * mean + mean**2),
        path_bound_squared - path**2 - t**2 * speed_variance,
    ]


def _mode(mode_speed_squared, mode_path_density):
    error = s - a * b
    rates = {a: b * error, b: a * error}
    on_path = {a: sqrt(b**2 + a0**2)}
    return [
        mode_speed_squared - sum(rate**2 for rate in rates.values()),
        (mode_speed_squared - (mode_path_density * rates[b]) ** 2).subs(on_path),
        # a positive root, as a length
        mode_path_density.subs(b, 0) - 1,
    ]


def _mode_path(closed, mode_path_length, path_angle, mode_path_density):
    slope = mode_path_length.diff(phi) * path_angle.diff(b)
    y = sp.Symbol("y", positive=True)  # b/a_0 = tan phi
    algebraic = {sin(phi): y / sqrt(1 + y**2), tan(phi): y, sp.cos(phi): 1 / sqrt(1 + y**2)}
    return [
        slope.subs(algebraic).subs(b, a0 * y) - mode_path_density.subs(b, a0 * y),
        closed(mode_path_length).subs(b, 0),
        sp.tan(path_angle) - b / a0,
    ]


def _mode_end(mode_readout_final):
    square = sp.expand(mode_readout_final**2)
    return [
        square * (square + a0**2) - s**2,
        mode_readout_final.subs(a0, 0) - sqrt(s),
    ]


STEPS = (
    Step(
        ("imbalance",),
        "D is conserved whatever the task and the inputs: along the flow on A, and along that on "
        "B. If it is lambda I at the start it is lambda I at the start of every later task.",
        Zero(_imbalance),
    ),
    Step(
        ("lifted_rate_first", "lifted_rate_second"),
        "So every stage with white inputs is T5's flow Q' = F Q - Q Q'Q/2, Q = [W1'; W2], with "
        "the same lambda: it is T1's flow once D = lambda I. Only Syx in F changes, and the "
        "solutions chain.",
        Substitution(_lift, equation="the flow of T1 with Sxx = I, up to multiples of D - lambda"),
    ),
    Step(
        ("forgetting", "forgetting_of_learned_tasks"),
        "Loss on A after B minus loss on A after A; PA and PB are the maps W2 W1 after A and "
        "after B. If both tasks were learned to the end it does not depend on the network.",
        Zero(_forgetting),
    ),
    Step(
        ("forgetting_one_output",),
        "One output, white inputs, W*A = g_A x_A', W*B = g_B x_B' for unit vectors.",
        Zero(_one_output),
    ),
    Step(
        ("error_A", "error_B", "representation", "readout", "loss_rate_of_A_during_B"),
        "How fast the loss on A changes while B is trained: minus the tangent kernel between the "
        "two errors. (Forgetting is its integral over the stage.)",
        Zero(_interference),
    ),
    Step(
        ("weight_change_squared",),
        "The first cost of plasticity, |dW|^2 over both layers.",
        Zero(_weight_change),
    ),
    Step(
        ("speed_squared",),
        "The second is the length of the path, the integral of |W'|. Its square is what the flow "
        "gives, and the rate at which the loss falls.",
        Zero(_speed),
    ),
    Step(
        ("speed_squared_split", "weight_change_rate"),
        "All weights as one vector: dW = l nu with |nu| = 1, and W' = c nu + zeta with zeta "
        "across nu. Then l' = c <= |W'|, so that |dW| is at most the length of the path, and "
        "equal to it where nothing moves across.",
        Zero(_chord),
    ),
    Step(
        ("speed_variance", "path_bound_squared"),
        "The mean over [0, t] of (|W'| - mean)^2 is not negative; the mean of |W'|^2 is the loss "
        "lost over t. So the length ell of the path satisfies ell^2 <= t (L_0 - L_t).",
        Zero(_bound),
    ),
    Step(
        ("mode_speed_squared", "mode_path_density"),
        "A mode (a, b) of a silent readout moves on the hyperbola a^2 = a_0^2 + b^2: the length "
        "of the path per change of b.",
        Substitution(_mode, equation="a' = b (s - ab), b' = a (s - ab)"),
    ),
    Step(
        ("path_angle", "mode_path_length"),
        "Its integral from 0 to b, elliptic in the angle with tan phi = b/a_0.",
        Substitution(_mode_path, equation="d ell/db = the density, ell = 0 at b = 0"),
    ),
    Step(
        ("mode_readout_final",),
        "At the end ab = s on the hyperbola.",
        Substitution(_mode_end, equation="b^2 (b^2 + a_0^2) = s^2"),
    ),
)

DERIVATION = Derivation(
    id="T12",
    title="Sequences of tasks: forgetting and plasticity",
    assumptions=(
        "The flow of T1 on task A, then from where it ended on task B.",
        "Each task has its least-squares map W* and its inputs' Sxx, which is X X'.",
        "T5 in every stage: D = lambda I at the first start, white inputs.",
        "One mode: white inputs, silent readout, a_0 > 0, s > 0.",
    ),
    notation={
        d: "number of inputs",
        h: "number of hidden units",
        m: "number of outputs",
        p: "number of all weights",
        W1: "first weights",
        W2: "second weights",
        W1_start: "first weights at time 0",
        W2_start: "second weights at time 0",
        Syx: "input-output covariance",
        lam: "imbalance: D = lambda I",
        BEST["A"]: "least-squares map of task A",
        BEST["B"]: "least-squares map of task B",
        INPUTS["A"]: "input covariance of task A",
        INPUTS["B"]: "input covariance of task B",
        MAP["A"]: "W2 W1 after A",
        MAP["B"]: "W2 W1 after B",
        g_A: "strength of task A",
        g_B: "strength of task B",
        cosine: "cosine between the task vectors of A and B",
        along: "speed of the weights along dW",
        across: "velocity of the weights across dW",
        t: "time",
        loss_start: "loss at time 0",
        loss_end: "loss at time t",
        path: "length of the path of the weights",
        a: "first layer of a mode",
        b: "its second layer",
        a0: "first layer at time 0",
        s: "strength of the task",
    },
    shorthand={
        ERROR["A"]: "error_A",
        ERROR["B"]: "error_B",
        R: "representation",
        B: "readout",
        phi: "path_angle",
    },
    formulas=FORMULAS,
    steps=STEPS,
    sources=(
        "Lambda-balanced networks on sequences of tasks: Domine et al., From lazy to rich: exact "
        "learning dynamics in deep linear networks, arXiv:2409.14623, 2025; Braun et al., Exact "
        "learning dynamics of deep linear networks with prior knowledge, 2022.",
        "Path length and its bounds as written here: this project.",
    ),
)
