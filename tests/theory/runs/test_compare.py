"""A run beside the theory: descent from its own weights, the error of its steps, and no more."""

from __future__ import annotations

import numpy as np
import pytest

import richlazy as rl
from richlazy.errors import KindError
from richlazy.runs import Run, probes

RNG = np.random.default_rng(7)
D, H, M = 4, 5, 2
COV = np.diag([0.5, 1.0, 1.5, 2.0])
TASK = rl.Task(RNG.standard_normal((M, D)) / 2.0)
COLOURED = rl.Task(RNG.standard_normal((M, D)) / 2.0, COV)
WEIGHTS = RNG.standard_normal((H, D)) / 3.0, RNG.standard_normal((M, H)) / 3.0
DEEP = (*WEIGHTS[:1], RNG.standard_normal((H, H)) / 2.0, *WEIGHTS[1:])
MEMORY = rl.recurrent.Task(RNG.standard_normal((3, 1, 1)))
CIRCUIT = tuple(RNG.standard_normal(s) / 3.0 for s in ((H, 1), (H, H), (1, H)))


def jacobian(function, weights, step=1e-6):
    """Of outputs (samples, outputs) by all weights, by central differences."""
    flat = np.concatenate([w.ravel() for w in weights])
    cuts, shapes = np.cumsum([w.size for w in weights])[:-1], [w.shape for w in weights]
    columns = []
    for k in range(flat.size):
        ends = []
        for sign in (1.0, -1.0):
            moved = flat.copy()
            moved[k] += sign * step
            parts = np.split(moved, cuts)
            ends.append(function([p.reshape(s) for p, s in zip(parts, shapes, strict=True)]))
        columns.append((ends[0] - ends[1]).ravel() / (2.0 * step))
    return np.stack(columns, axis=1)


def feed_forward(weights, inputs):
    for w in weights:
        inputs = inputs @ w.T
    return inputs


def driven(weights, inputs):
    u, w, v = weights
    state = np.zeros((len(inputs), len(u)))
    for step in range(inputs.shape[1]):
        state = state @ w.T + inputs[:, step] @ u.T
    return state @ v.T


def trained(answer, weights, inputs, wanted, rate, until=2.0, looks=4):
    """Plain gradient descent on 1/2 |wanted - answer|^2, recorded."""
    run, weights = Run(rate), [w.copy() for w in weights]
    steps = round(until / rate)
    for step in range(steps + 1):
        missed = wanted - answer(weights, inputs)
        slope = jacobian(lambda w: answer(w, inputs), weights)
        if step % (steps // looks) == 0:
            run.record(
                step, weights={f"w{i}": w for i, w in enumerate(weights)}, kernel=slope @ slope.T,
                loss=0.5 * float(np.sum(missed**2)),
            )  # fmt: skip
        change, place = rate * (slope.T @ missed.ravel()), 0
        for w in weights:
            w += change[place : place + w.size].reshape(w.shape)
            place += w.size
    return run


CASES = {
    "two layers": (feed_forward, WEIGHTS, TASK, TASK.cov_yx.T),
    "inputs not white": (feed_forward, WEIGHTS, COLOURED, COLOURED.whitened.T),
    "deep": (feed_forward, DEEP, TASK, TASK.cov_yx.T),
    "recurrent": (driven, CIRCUIT, MEMORY, MEMORY.seen.T),
}


@pytest.mark.parametrize("name", CASES)
def test_small_steps_follow_the_theory_and_smaller_ones_closer(name):
    answer, weights, task, wanted = CASES[name]
    worst = []
    for rate in (0.02, 0.01):
        found = trained(answer, weights, probes(task), wanted, rate).compare(task)
        worst.append(found.worst)
        assert {"weight_change", "kernel_alignment", "loss"} <= set(found.predicted)
    for measure in ("weight_change", "kernel_alignment", "loss"):
        coarse, fine = (w[measure] for w in worst)
        assert 0.0 < fine < 0.01, measure
        assert 1.7 < coarse / fine < 2.3, measure
    assert any("linear prediction" in words for words in found.assumptions)


def simple():
    run = Run(0.1)
    for step in range(3):
        run.record(step, weights={"a": WEIGHTS[0] * (1.0 + step), "b": WEIGHTS[1]}, loss=1.0)
    return run


def test_a_solution_or_a_curve_serves_as_well():
    run = simple()
    solution = rl.solve(rl.Network(*WEIGHTS), TASK)
    by_task, by_solution = run.compare(TASK), run.compare(solution)
    for name, values in by_task.deviations.items():
        np.testing.assert_allclose(values, by_solution.deviations[name])
    curve = rl.curves.curve.Curve("time", np.linspace(0, 1, 11), {"loss": np.linspace(0, 1, 11)})
    assert run.compare(curve).worst["loss"] == pytest.approx(1.0)
    np.testing.assert_allclose(run.compare(curve).predicted["loss"], [0.0, 0.1, 0.2])


def test_beyond_a_curve_nothing_is_predicted():
    curve = rl.curves.curve.Curve("time", np.array([0.05, 0.15]), {"loss": np.array([1.0, 2.0])})
    found = simple().compare(curve)
    assert np.isnan(found.predicted["loss"][[0, 2]]).all()
    assert found.worst["loss"] == pytest.approx(0.5)


def test_layers_are_named():
    run = simple()
    one = run.compare(TASK, layers=["a", "b"])
    assert one.method == run.compare(TASK).method
    assert "krylov" in run.compare(rl.Task(TASK.cov_yx[:1]), layers=["a"]).method
    with pytest.raises(ValueError, match="no weights 'c'; there are a, b"):
        run.compare(TASK, layers=["a", "c"])
    with pytest.raises(ValueError, match="name three layers in this order; there are 2"):
        run.compare(MEMORY)


def test_what_cannot_be_compared():
    run = Run()
    run.record(0, weights={"a": WEIGHTS[0]})
    with pytest.raises(ValueError, match="the run has no learning rate"):
        run.compare(TASK)
    with pytest.raises(KindError, match="theory must be a Curve, a Solution or a Task; it is int"):
        simple().compare(3)
    rank = rl.curves.curve.Curve("rank", np.ones(1), {"loss": np.ones(1)})
    with pytest.raises(ValueError, match="the curve must run along time; it runs along rank"):
        simple().compare(rank)
    other = rl.curves.curve.Curve("time", np.ones(1), {"laziest_rank": np.ones(1)})
    with pytest.raises(ValueError, match="share no measure"):
        simple().compare(other)
    kernels = Run(0.1)
    kernels.record(0, kernel=np.eye(2))
    with pytest.raises(ValueError, match="the run has no weight matrices"):
        kernels.compare(TASK)


def test_a_comparison_is_drawn_and_says_what_it_is():
    found = simple().compare(TASK)
    figure = found.plot()
    assert len(figure.axes) == len(found.predicted)
    assert [line.get_label() for line in figure.axes[0].lines] == ["theory", "run"]
    assert repr(found).startswith("Comparison(snapshots=3, method='krylov (T15), k=")


@pytest.mark.parametrize(
    ("alignment", "regime"), [(1.0, "lazy"), (0.7, "between rich and lazy"), (0.3, "rich")]
)
def test_a_verdict_in_one_sentence(alignment, regime):
    run = Run()
    angle = np.arccos(alignment)
    run.record(0, kernel=np.diag([1.0, 0.0]), weights=np.ones(4))
    run.record(8, kernel=np.diag([np.cos(angle), np.sin(angle)]), weights=np.full(4, 1.5))
    sentence = run.verdict()
    assert sentence.startswith(f"{regime} after 8 steps: KA ")
    assert sentence.endswith("the weights moved by 50 % of their norm")


def test_a_verdict_that_is_uncertain_or_without_kernels():
    run = Run()
    run.record(0, weights=np.ones(2), kernel_alignment=1.0)
    run.record(1, weights=np.ones(2), kernel_alignment=0.89, kernel_alignment_standard_error=0.02)
    assert run.verdict().startswith("about between rich and lazy after 1 steps: KA 0.89 ± 0.02")
    hidden = Run()
    hidden.record(0, activations=np.eye(2))
    hidden.record(1, activations=np.eye(2))
    assert hidden.verdict().startswith("lazy after 1 steps: RA, no kernel was recorded: 1 ")
    weights = Run()
    weights.record(0, weights=np.ones(2))
    assert weights.verdict().startswith("cannot say after 0 steps: neither kernels nor one array")


def test_probes_of_either_kind():
    np.testing.assert_allclose(probes(COLOURED) @ probes(COLOURED).T, COV)
    pulses = probes(rl.recurrent.Task(RNG.standard_normal((3, 1, 2))))
    assert pulses.shape == (6, 3, 2)
    assert pulses[0, 2, 0] == 1.0  # lag 0 is the last step
    with pytest.raises(KindError, match="task must be a Task"):
        probes(np.eye(2))
