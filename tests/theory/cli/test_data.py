"""`richlazy predict --data`: the task of inputs and targets, whatever their covariance."""

from __future__ import annotations

import numpy as np
import pytest

import richlazy as rl
from tests.theory.cli.commands import W, answer, csv_text, fail, succeed

RNG = np.random.default_rng(5)
MIXED = RNG.standard_normal((6, 6)) * [1.0, 2.0, 0.5, 3.0, 1.0, 0.2]
X = RNG.standard_normal((60, 6)) @ MIXED
Y = X @ RNG.standard_normal((6, 2)) + np.sin(X[:, :2]) + RNG.standard_normal((60, 2))
MEASURES = ("kernel_alignment", "representation_alignment", "weight_change", "loss")


@pytest.fixture(autouse=True)
def data(folder):
    np.save("x.npy", X)
    np.save("y.npy", Y)
    np.save("y1.npy", Y[:, 0])
    np.savez("both.npz", inputs=X, targets=Y)
    (folder / "x.csv").write_text("a,b,c,d,e,f\n" + csv_text(X))
    (folder / "y1.csv").write_text("\n".join(map(repr, Y[:, 0].tolist())) + "\n")
    np.save("short.npy", Y[:50])
    np.save("wt.npy", W.T)
    np.save("nan_x.npy", np.where(X[2, 3] == X, np.nan, X))
    np.save("constant.npy", np.ones_like(X))
    np.save("nothing.npy", np.zeros(60))


def explained(x, y):
    """1 - residual / mean square, by least squares."""
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return 1 - np.sum(rest**2) / np.sum(y**2)


@pytest.mark.parametrize(
    ("files", "targets"),
    [
        ("x.npy y.npy", Y),
        ("both.npz:inputs both.npz:targets", Y),
        ("x.csv y1.csv", Y[:, 0]),
        ("x.npy y1.npy", Y[:, 0]),
    ],
)
@pytest.mark.parametrize("t", [np.inf, 0.3])
def test_the_answer_is_that_of_the_task_in_the_data(files, targets, t):
    found = answer("w.npy", "--data", *files.split(), "--time", str(t))
    wanted = rl.predict(rl.Network(W), rl.Task.from_data(X, targets), t)
    for name in MEASURES:
        assert found[name] == pytest.approx(getattr(wanted, name), rel=1e-6, abs=1e-9)
    assert (found["method"], found["assumptions"]) == (wanted.method, list(wanted.assumptions))
    told = found["data"]
    assert (told["files"], told["samples"], told["white"]) == (files.split(), 60, False)
    assert told["explained"] == pytest.approx(explained(X, targets), rel=1e-10)
    assert found["task"]["outputs"] == (1 if targets.ndim == 1 else 2)
    # data have units: the weights stay as they are, and nothing on white inputs is compared
    assert found["norm"] == found["given_norm"] == pytest.approx(np.linalg.norm(W))
    verdict = found["verdict"]
    assert verdict["full_rank"] is verdict["gaussian"] is verdict["law_at_own_norm"] is None


def test_the_text_says_what_a_linear_map_explains():
    table = succeed("predict", "w.csv", "--data", "x.npy", "y.npy")
    assert f"a linear map explains R^2 = {explained(X, Y):.4g} of the targets" in table
    assert "strength" in table
    assert "of x.npy and y.npy (not rescaled)" in table
    assert "60 samples, inputs not white" in table


def test_another_norm_may_be_asked_for():
    found = answer("w.csv", "--data", "x.npy", "y.npy", "--norm", "1")
    task = rl.Task.from_data(X, Y)
    wanted = rl.predict(rl.Network(W / np.linalg.norm(W)), task)
    assert found["norm"] == pytest.approx(1.0)
    assert found["kernel_alignment"] == pytest.approx(wanted.kernel_alignment, rel=1e-6)


def test_a_square_matrix_and_a_spectrum_are_first_layers():
    np.save("square.npy", RNG.standard_normal((6, 6)))
    assert "recurrent" not in answer("square.npy", "--data", "x.npy", "y.npy")
    found = answer("s.csv", "--data", "x.npy", "y.npy", "--hidden", "5")
    assert found["notes"] == ["singular vectors drawn at random, seed 0"]
    assert found["data"]["explained"] == pytest.approx(explained(X, Y))


def test_white_inputs_have_the_references_of_every_start():
    q = np.linalg.qr(RNG.standard_normal((40, 6)))[0] * 40**0.5
    np.save("white.npy", q)
    np.save("target.npy", q @ np.arange(1.0, 7.0))
    found = answer("w.csv", "--data", "white.npy", "target.npy")
    assert found["data"]["white"]
    assert found["data"]["explained"] == pytest.approx(1.0)
    assert found["verdict"]["full_rank"] is not None
    np.save("beta.npy", np.arange(1.0, 7.0))
    other = answer("w.csv", "--task", "beta.npy", "--norm", "keep")
    assert found["kernel_alignment"] == pytest.approx(other["kernel_alignment"], rel=1e-6)


def test_what_data_are_like_is_said():
    x = X - X.mean(axis=0)
    x[:, 1] = 1.0
    np.save("bias.npy", x)
    np.save("centred.npy", Y - Y.mean(axis=0))
    notes = answer("w.csv", "--data", "bias.npy", "centred.npy")["data"]["notes"]
    assert notes == [
        "inputs have means, which are part of the task as they are",
        "inputs that never vary, as a bias does: 1",
    ]
    np.save("few.npy", X[:4])
    np.save("few_y.npy", Y[:4])
    found = answer("w.csv", "--data", "few.npy", "few_y.npy")["data"]
    assert "no more samples than inputs" in found["notes"][-1]
    assert found["explained"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            "w.csv --data x.npy short.npy",
            "a row a sample in both files; x.npy has 60, short.npy 50",
        ),
        (
            "w.csv --data nan_x.npy y.npy",
            "--data: nan_x.npy: entry [2, 3] is nan; it must be finite",
        ),
        (
            "w.csv --data constant.npy y.npy",
            "no input in constant.npy varies from sample to sample",
        ),
        ("w.csv --data x.npy nothing.npy", "cov_yx is zero: there is nothing to learn"),
        ("w.csv --data x.npy none.npy", "--data: none.npy: no such file"),
        ("w.csv --data pickled.npy y.npy", "pickled objects, which are never loaded"),
        ("w.csv --data x.npy", "Option '--data' requires 2 arguments"),
        (
            "wt.npy --data x.npy y.npy",
            "wt is 6 x 4 weights (hidden x inputs), and x.npy has 6 inputs",
        ),
        ("wt.npy --data x.npy y.npy", "they lie on their side: add --transpose"),
        ("w.csv --transpose --data x.npy y.npy", "on their side: leave --transpose out"),
        ("celegans --data x.npy y.npy", "(hidden x inputs), and x.npy has 6 inputs"),
        ("w.csv --data x.npy y.npy --strength 2", "--strength and --data exclude each other"),
        ("w.csv --data x.npy y.npy --outputs 2", "--outputs and --data exclude each other"),
        ("w.csv --data x.npy y.npy --alignment 1", "--alignment and --data exclude each other"),
        ("w.csv --data x.npy y.npy --task beta.csv", "--task and --data exclude each other"),
        ("s.csv --data x.npy y.npy --inputs 5", "--inputs is 5, but the data have 6"),
        ("w.csv --data x.npy y.npy --as recurrent", "--data is for a first layer; leave it out"),
    ],
)
def test_what_is_refused(arguments, expected):
    line = fail("predict", *arguments.split())
    assert expected in line
    assert "--missing" not in line
