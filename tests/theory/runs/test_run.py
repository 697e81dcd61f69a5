"""`Run`: measures as snapshots come, nothing lost, saved and gone on with."""

from __future__ import annotations

import re
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest

import richlazy as rl
from richlazy.errors import FileError
from richlazy.runs import Run, load

RNG = np.random.default_rng(2)
N = 12


def snapshot(step):
    """Weights, activations and kernel of a training of 30 steps."""
    way = np.random.default_rng(5)
    first, second = way.standard_normal((2, 4, 3)), way.standard_normal((2, 2, 4))
    share = step / 30.0
    w1, w2 = ((1 - share) * a + share * b for a, b in (first, second))
    inputs = way.standard_normal((N, 3))
    hidden = inputs @ w1.T
    kernel = hidden @ hidden.T + inputs @ inputs.T * np.trace(w2 @ w2.T)
    return {"weights": {"a": w1, "b": w2}, "activations": hidden, "kernel": kernel}


TARGETS = np.random.default_rng(1).standard_normal((N, 2))
STEPS = (0, 3, 10, 30)


def recorded(**keywords):
    run = Run(targets=TARGETS, **keywords)
    for step in STEPS:
        run.record(step, **snapshot(step), loss=1.0 / (1.0 + step), noise=0.1 * step)
    return run


def test_every_measure_is_that_of_the_snapshots():
    run = recorded()
    found = run.measures()
    start = snapshot(0)
    for place, step in enumerate(STEPS):
        now = snapshot(step)
        layers = [list(x["weights"].values()) for x in (start, now)]
        expected = {
            "step": step,
            "weight_change": rl.weight_change(*layers),
            "relative_weight_change": rl.relative_weight_change(*layers),
            "weight_change_a": rl.weight_change(layers[0][0], layers[1][0]),
            "representation_alignment": rl.representation_alignment(
                start["activations"], now["activations"]
            ),
            "cka": rl.cka(start["activations"], now["activations"]),
            "sign_similarity": rl.sign_similarity(start["activations"], now["activations"]),
            "kernel_alignment": rl.kernel_alignment(start["kernel"], now["kernel"]),
            "kernel_distance": rl.kernel_distance(start["kernel"], now["kernel"]),
            "target_alignment": rl.target_alignment(now["kernel"], TARGETS),
            "loss": 1.0 / (1.0 + step),
            "noise": 0.1 * step,
        }
        for name, value in expected.items():
            assert found[name][place] == pytest.approx(value, rel=1e-12), name
    kernels = [snapshot(step)["kernel"] for step in STEPS]
    assert np.isnan(found["kernel_speed"][0])
    np.testing.assert_allclose(found["kernel_speed"][1:], rl.kernel_speed(STEPS, kernels))
    path = [0.0, *(rl.weight_change(*(list(snapshot(s)["weights"].values()) for s in pair))
                   for pair in pairwise(STEPS))]  # fmt: skip
    np.testing.assert_allclose(found["path_length"], np.cumsum(path))


def test_memory_is_bounded_unless_all_is_asked_for():
    assert [s.step for s in recorded().snapshots] == [0.0, 30.0]
    assert [s.step for s in recorded(keep="all").snapshots] == [0.0, 3.0, 10.0, 30.0]
    kept, bounded = recorded(keep="all").measures(), recorded().measures()
    for name, values in kept.items():
        np.testing.assert_array_equal(values, bounded[name])


def test_time_is_there_where_there_is_a_learning_rate():
    assert "time" not in recorded().measures()
    run = recorded(learning_rate=0.02)
    np.testing.assert_allclose(run["time"], 0.02 * np.array(STEPS))
    assert run.curve("kernel_alignment").axis == "time"
    assert recorded().curve("kernel_alignment").axis == "updates"
    with pytest.raises(KeyError, match="no column 'KA'; there are step, time"):
        run["KA"]


def test_a_curve_of_a_run_is_written_and_drawn(tmp_path):
    curve = recorded().curve("kernel_alignment", "loss")
    assert list(curve.columns) == ["kernel_alignment", "loss"]
    again = rl.curves.from_csv(curve.to_csv(tmp_path / "run.csv"))
    np.testing.assert_array_equal(again.columns["loss"], curve.columns["loss"])
    assert len(curve.plot().axes) >= 1
    every = recorded().curve()
    assert set(every.columns) == set(recorded().measures()) - {"step"}


def test_the_rank_of_what_was_added():
    run = Run()
    first = RNG.standard_normal((6, 5))
    run.record(0, weights={"w": first, "b": np.zeros(5), "still": np.eye(2)})
    added = np.outer(np.arange(6.0), np.ones(5))
    run.record(1, weights={"w": first + added, "b": np.ones(5), "still": np.eye(2)})
    found = run.change_rank()
    assert list(found) == ["w"]
    assert found["w"].numerical == 1
    assert found["w"].participation == pytest.approx(1.0)


def refused(run, message, **changed):
    before = {name: values.copy() for name, values in run.measures().items()}
    with pytest.raises(ValueError, match=message):
        run.record(**({"step": 40} | snapshot(30) | changed))
    assert all(np.array_equal(before[n], v, equal_nan=True) for n, v in run.measures().items())
    assert run.latest.step == 30.0


NOT_A_NUMBER = {"a": np.r_[np.nan, np.ones(11)].reshape(4, 3), "b": np.ones((2, 4))}
BAD = {
    "activations 'activations' changed number of samples: (12, 4)": {
        "activations": np.ones((11, 4))
    },
    "activations 'activations' changed shape": {"activations": np.ones((12, 5))},
    "activations 'activations' must be (samples, units)": {"activations": np.ones((12, 2, 2))},
    "weights must be those of the start: 'b' is missing": {"weights": {"a": np.ones((4, 3))}},
    "weights must be those of the start: 'c' was not there": {
        "weights": {"a": np.ones((4, 3)), "b": np.ones((2, 4)), "c": np.ones(1)}
    },
    "weights 'a' changed shape: (4, 3) at the start, (4, 4) now": {
        "weights": {"a": np.ones((4, 4)), "b": np.ones((2, 4))}
    },
    "a must be finite; it has 1 of 12": {"weights": NOT_A_NUMBER},
    "kernel changed shape": {"kernel": np.eye(11)},
    "kernel must be recorded every time or never": {"kernel": None},
    "kernel must be square": {"kernel": np.ones((12, 11))},
    "must be a symmetric kernel": {"kernel": np.triu(np.ones((12, 12)))},
    "steps must rise: 30 comes after 30": {"step": 30},
    "a measure cannot be called 'kernel_alignment' here": {"kernel_alignment": 1.0},
    "loss must be finite": {"loss": np.nan},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_loses_nothing(message):
    run = recorded()
    refused(run, re.escape(message), **BAD[message])
    run.record(41, **snapshot(30))  # and the run goes on


def test_samples_in_another_order_are_refused():
    run = Run()
    run.record(0, activations=np.ones((3, 2)), samples=["x", "y", "z"])
    with pytest.raises(ValueError, match="samples differ from those recorded before"):
        run.record(1, activations=np.ones((3, 2)), samples=["x", "z", "y"])
    run.record(1, activations=np.ones((3, 2)), samples=["x", "y", "z"])
    assert len(run) == 2


def test_what_is_undefined_is_nan_and_not_an_error():
    run = Run(targets=np.ones(2))
    run.record(0, weights=np.zeros(3), activations=np.zeros((2, 2)), kernel=np.zeros((2, 2)))
    run.record(1, weights=np.ones(3), activations=np.eye(2), kernel=np.eye(2))
    found = run.measures()
    for name in ("relative_weight_change", "representation_alignment", "kernel_alignment", "cka"):
        assert np.isnan(found[name][1]), name
    assert found["weight_change"][1] == pytest.approx(np.sqrt(3.0))


def test_nothing_to_record():
    run = Run()
    with pytest.raises(ValueError, match="needs weights, activations or a kernel"):
        run.record(0, loss=1.0)
    with pytest.raises(ValueError, match="nothing has been recorded"):
        _ = run.start
    with pytest.raises(ValueError, match="nothing has been recorded"):
        run.verdict()
    with pytest.raises(ValueError, match="keep must be 'ends' or 'all'"):
        Run(keep="some")
    with pytest.raises(ValueError, match="learning_rate must be > 0"):
        Run(learning_rate=0.0)


@pytest.mark.parametrize("keep", ["ends", "all"])
def test_a_run_is_saved_and_gone_on_with(tmp_path, keep):
    whole, cut = Run(0.1, targets=TARGETS, keep=keep), Run(0.1, targets=TARGETS, keep=keep)
    for step in STEPS:
        if step == 10:
            cut.save(tmp_path / "run")
            cut = load(tmp_path / "run.npz")
        for run in (whole, cut):
            run.record(step, **snapshot(step), samples=range(N))
    for name, values in whole.measures().items():
        np.testing.assert_array_equal(values, cut[name], err_msg=name)
    assert [s.step for s in cut.snapshots] == [s.step for s in whole.snapshots]
    with pytest.raises(ValueError, match="samples differ"):
        cut.record(50, **snapshot(30), samples=range(1, N + 1))


def test_a_saved_run_is_arrays_and_a_text(tmp_path):
    recorded().save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz", allow_pickle=False) as stored:
        assert {"about", "column/loss", "0/weights/a", "1/kernel"} <= set(stored)
        assert all(stored[name].dtype != object for name in stored)
    with pytest.raises(ValueError, match="exists"):
        recorded().save(tmp_path / "run.npz")
    recorded().save(tmp_path / "run.npz", force=True)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(FileError, match="there is no such file"):
        load(tmp_path / "none")
    (tmp_path / "text.npz").write_text("no zip")
    np.savez(tmp_path / "other.npz", a=np.ones(2))
    np.savez(tmp_path / "pickled.npz", about=np.array([{"richlazy_run": 1}], dtype=object))
    np.savez(tmp_path / "later.npz", about=np.array('{"richlazy_run": 99}'))
    for name in ("text", "other", "pickled", "later"):
        with pytest.raises(FileError, match="not a run of richlazy"):
            load(tmp_path / f"{name}.npz")


def test_what_it_says_of_itself():
    assert repr(Run()) == "Run(snapshots=0)"
    assert repr(recorded()).startswith("Run(snapshots=4, step=30, relative_weight_change=")


def test_libraries_are_asked_for_by_name():
    """With an error that names the extra, where it is not there."""
    for name in ("torch", "jax"):
        if find_spec(name) is None:
            with pytest.raises(ImportError, match=rf"pip install richlazy\[{name}\]"):
                getattr(rl.runs, name)
        else:
            assert getattr(rl.runs, name).track
    with pytest.raises(AttributeError, match="has no attribute 'keras'"):
        _ = rl.runs.keras
