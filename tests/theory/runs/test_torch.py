"""PyTorch models: the kernel against the explicit Jacobian, training against the theory."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

import richlazy as rl
from richlazy.runs import probes
from tests.docs.blocks import of_module

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from richlazy.runs.torch import tangent_kernel, track  # noqa: E402

torch.set_num_threads(1)
PRECISIONS = {torch.float64: 1e-12, torch.float32: 1e-6}
LIMIT = 30_000.0  # bytes: gradients in several blocks
# PyTorch's own forward mode still compiles some of its rules the old way
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")


class Twice(nn.Module):
    """A layer that is called twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 2)

    def forward(self, x):
        return self.b(torch.tanh(self.a(torch.tanh(self.a(x)))))


class Aside(nn.Module):
    """A weight used outside its layer too, and a parameter of no layer."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.gain = nn.Linear(5, 5), nn.Linear(5, 2), nn.Parameter(torch.ones(5))

    def forward(self, x):
        return self.b(torch.tanh(nn.functional.linear(self.a(x), self.a.weight)) * self.gain)


class Offset(nn.Module):
    """A bias used outside its layer too."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 2)

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)) * self.a.bias)


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 5)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


class Recurrent(nn.Module):
    """PyTorch's own recurrent layer, read at the last step."""

    def __init__(self):
        super().__init__()
        self.states, self.out = nn.RNN(3, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, x):
        return self.out(self.states(x)[0][:, -1])


class Steps(nn.Module):
    """A recurrent network of linear layers, called at every step; linear where `bend` is."""

    def __init__(self, channels=3, units=6, outputs=2, bend=torch.tanh):
        super().__init__()
        self.u = nn.Linear(channels, units, bias=False)
        self.w = nn.Linear(units, units, bias=False)
        self.v = nn.Linear(units, outputs, bias=False)
        self.bend = bend

    def forward(self, x):
        state = torch.zeros(len(x), self.w.in_features, dtype=x.dtype)
        for step in range(x.shape[1]):
            state = self.bend(self.w(state) + self.u(x[:, step]))
        return self.v(state)


def mlp():
    return nn.Sequential(
        nn.Linear(5, 8), nn.ReLU(inplace=True), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)
    )


MODELS = {
    "perceptron": (mlp, (7, 5)),
    "normalised": (
        lambda: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2)),
        (7, 5),
    ),
    "convolution": (
        lambda: nn.Sequential(nn.Conv1d(1, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)),
        (7, 1, 5),
    ),
    "called twice": (Twice, (7, 5)),
    "used aside": (Aside, (7, 5)),
    "bias used aside": (Offset, (7, 5)),
    "tied": (Tied, (7, 5)),
    "recurrent layer": (Recurrent, (7, 4, 3)),
    "recurrent steps": (Steps, (7, 4, 3)),
    "long sequences": (lambda: Steps(2, 3, 1), (4, 30, 2)),
    "tokens": (lambda: nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 2)), None),
}


def made(name, dtype):
    torch.manual_seed(0)
    build, shape = MODELS[name]
    model = build().to(dtype)
    probe = torch.randint(0, 9, (7, 3)) if shape is None else torch.randn(shape, dtype=dtype)
    return model, probe


def jacobian(model, probe):
    """Rows (sample, output) by all parameters, one backward pass each."""
    model.eval()
    answer = model(probe)
    weights = [p for p in model.parameters() if p.requires_grad]
    rows = []
    for value in answer.reshape(-1):
        each = torch.autograd.grad(value, weights, retain_graph=True, allow_unused=True)
        filled = [
            torch.zeros_like(p) if g is None else g for g, p in zip(each, weights, strict=True)
        ]
        rows.append(torch.cat([g.reshape(-1) for g in filled]).double().numpy())
    return np.array(rows).reshape(*answer.shape, -1)


def explicit(model, probe, outputs):
    j = jacobian(model, probe)
    if outputs == "trace":
        return np.einsum("iop,jop->ij", j, j)
    j = j.reshape(-1, j.shape[-1]) if outputs == "full" else j[:, outputs]
    return j @ j.T


@pytest.mark.parametrize("outputs", ["trace", "full", 0])
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", MODELS)
def test_the_kernel_is_that_of_the_jacobian(name, dtype, outputs):
    model, probe = made(name, dtype)
    model.train()
    found = tangent_kernel(model, probe, outputs=outputs)
    assert model.training
    expected = explicit(model, probe, outputs)
    assert np.abs(found - expected).max() <= PRECISIONS[dtype] * np.abs(expected).max()
    blocks = tangent_kernel(model, probe, outputs=outputs, memory=LIMIT)
    assert np.abs(blocks - expected).max() <= PRECISIONS[dtype] * np.abs(expected).max()


def test_parameters_that_do_not_train_do_not_count():
    model, probe = made("perceptron", torch.float64)
    model[0].weight.requires_grad_(False)
    model[4].bias.requires_grad_(False)
    np.testing.assert_allclose(
        tangent_kernel(model, probe), explicit(model, probe, "trace"), rtol=1e-12
    )
    assert "0.weight" not in recorded(model, probe).start.weights


def recorded(model, probe, **keywords):
    """Before and after a few steps."""
    tracker = track(model, probe, **keywords)
    tracker(0, loss=1.0)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)).to(p)
    tracker(5, loss=0.5, rate=0.1)
    return tracker.run


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_kernel_alignment_is_that_of_the_jacobians(dtype):
    model, probe = made("perceptron", dtype)
    before = explicit(model, probe, "trace")
    run = recorded(model, probe)
    after = explicit(model, probe, "trace")
    expected = rl.kernel_alignment(before, after)
    assert abs(run["kernel_alignment"][-1] - expected) <= PRECISIONS[dtype]


def test_what_is_recorded():
    model, probe = made("perceptron", torch.float64)
    targets = np.random.default_rng(0).standard_normal((7, 3))
    run = recorded(model, probe, targets=targets)
    assert list(run.start.weights) == [n for n, _ in model.named_parameters()]
    assert run.start.activations["hidden"].shape == (7, 8)
    found = run.measures()
    assert found["loss"].tolist() == [1.0, 0.5]
    assert np.isnan(found["rate"][0])
    kernel = explicit(model, probe, "trace")
    assert found["target_alignment"][-1] == pytest.approx(rl.target_alignment(kernel, targets))
    with torch.no_grad():
        hidden = model[:-1](probe).numpy()
    np.testing.assert_allclose(run.latest.activations["hidden"], hidden)


def test_layers_that_are_asked_for():
    model, probe = made("recurrent layer", torch.float64)
    run = recorded(model, probe, layers=("states", "out"), kernel=False)
    assert {n: a.shape for n, a in run.start.activations.items()} == {
        "states": (7, 24),
        "out": (7, 2),
    }
    assert "kernel_alignment" not in run.measures()
    with pytest.raises(ValueError, match="no module 'state'; there are states, out"):
        track(model, probe, layers=("state",))


@pytest.mark.parametrize("outputs", ["trace", "full", 1])
def test_a_sketch_is_within_its_error(outputs):
    model, probe = made("perceptron", torch.float64)
    targets = np.random.default_rng(0).standard_normal((7, 3))
    state = {n: v.clone() for n, v in model.state_dict().items()}
    exact = recorded(model, probe, targets=targets, outputs=outputs).measures()
    model.load_state_dict(state)
    sketch = recorded(model, probe, targets=targets, outputs=outputs, directions=400).measures()
    for name in ("kernel_alignment", "target_alignment"):
        error = sketch[f"{name}_standard_error"][-1]
        assert 0.0 < error < 0.05
        assert abs(sketch[name][-1] - exact[name][-1]) < 4.0 * error


def test_a_kernel_that_does_not_fit_is_sketched_or_refused():
    model, probe = made("perceptron", torch.float64)
    run = recorded(model, probe, outputs="full", memory=5000.0)
    assert run["kernel_alignment_standard_error"][-1] > 0.0
    with pytest.raises(ValueError, match=r"a kernel of 21 x 21.*are above the limit of 5e"):
        tangent_kernel(model, probe, outputs="full", memory=5000.0)


def test_a_sketch_is_not_gone_on_with_from_elsewhere():
    """Its alignments would be those since then, and not since the start."""
    model, probe = made("perceptron", torch.float64)
    run = recorded(model, probe, directions=20)
    with pytest.raises(ValueError, match="a sketched run cannot be gone on with"):
        track(model, probe, directions=20, run=run)


def test_the_model_is_left_as_it_was():
    model, probe = made("normalised", torch.float64)
    model.train()
    model[1].eval()
    before = {n: v.clone() for n, v in model.state_dict().items()}
    track(model, probe)(0)
    assert [m.training for m in model] == [True, False, True, True]
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: (nn.Flatten(), torch.ones(3, 2)), "the model has no parameters"),
        (
            lambda: (nn.RNN(3, 4, batch_first=True), torch.randn(2, 5, 3)),
            "it gives tuple: pass forward",
        ),
        (lambda: (nn.Linear(3, 2), torch.randn(2, 5, 3)), r"it gives \(2, 5, 2\): pass forward"),
        (lambda: (Blended(), torch.randn(4, 3)), "depends on the others of the batch"),
    ],
)
def test_models_that_have_no_such_kernel(build, message):
    with pytest.raises(ValueError, match=message):
        track(*build())


class Blended(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 2)

    def forward(self, x):
        return self.a(x - x.mean(dim=0))


def test_the_module_is_found_where_runs_are():
    assert rl.runs.torch.track is track


def test_what_is_asked_wrongly():
    model, probe = made("perceptron", torch.float64)
    for keywords, message in (
        ({"outputs": 3}, "outputs must be below 3; it is 3"),
        ({"outputs": "all"}, "outputs must be 'trace', 'full' or a number"),
        ({"targets": np.ones((7, 2))}, r"targets must be \(samples, outputs\), 7 x 3 here"),
        ({"memory": 0.0}, "memory must be > 0"),
        ({"directions": 3}, "directions must be at least 8"),
    ):
        with pytest.raises(ValueError, match=message):
            track(model, probe, **keywords)(0)


def test_an_answer_of_your_own():
    model, probe = nn.RNN(3, 4, batch_first=True).double(), torch.randn(5, 6, 3).double()
    run = recorded(model, probe, forward=lambda m, x: m(x)[0][:, -1])
    assert run["kernel_alignment"][-1] < 1.0


def descended(model, task, wanted, rate, hidden, until=2.0, looks=4):
    """Plain gradient descent on 1/2 |wanted - model|^2 over the probes of the theory."""
    probe = torch.as_tensor(probes(task))
    goal = torch.as_tensor(wanted)
    tracker = track(model, probe, targets=wanted, learning_rate=rate, outputs="full", layers=hidden)
    steps = round(until / rate)
    for step in range(steps + 1):
        loss = 0.5 * ((model(probe) - goal) ** 2).sum()
        if step % (steps // looks) == 0:
            tracker(step, loss=loss.item())
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= rate * p.grad
    return tracker.run


def layers(*sizes):
    return nn.Sequential(*(nn.Linear(*pair, bias=False) for pair in pairwise(sizes)))


RNG = np.random.default_rng(4)
TASK = rl.Task(RNG.standard_normal((2, 4)) / 2.0)
MEMORY = rl.recurrent.Task(RNG.standard_normal((4, 1, 1)))
LINEAR = {
    "two layers": (lambda: layers(4, 6, 2), TASK, TASK.cov_yx.T, None),
    "deep": (lambda: layers(4, 5, 5, 2), TASK, TASK.cov_yx.T, ("0",)),
    "recurrent": (lambda: Steps(1, 6, 1, bend=lambda x: x), MEMORY, MEMORY.seen.T, None),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_models_follow_the_theory_within_their_steps(name):
    build, task, wanted, hidden = LINEAR[name]
    worst = []
    for rate in (0.02, 0.01):
        torch.manual_seed(2)
        found = descended(build().double(), task, wanted, rate, hidden).compare(task)
        worst.append(found.worst)
        assert {"kernel_alignment", "representation_alignment", "loss"} <= set(worst[-1])
    for measure, coarse in worst[0].items():
        fine = worst[1][measure]
        assert fine < 0.03, measure
        assert 1.7 < coarse / fine < 2.3, measure


def test_a_perceptron_trained_for_real_tells_how_lazy_it_was():
    """The worked example: digits of two halves, from a large and from a small start."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((400, 16))
    wanted = np.sign(inputs[:, :1] * inputs[:, 1:2] + 0.2 * inputs[:, 2:3])
    x, y = torch.as_tensor(inputs).float(), torch.as_tensor(wanted).float()
    found = {}
    for scale in (0.5, 4.0):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 1))
        with torch.no_grad():
            for p in model.parameters():
                p *= scale
        tracker = track(model, x[:64], targets=wanted[:64])
        descent = torch.optim.SGD(model.parameters(), lr=0.05)
        begun = None
        for step in range(601):
            loss = ((model(x) - y) ** 2).mean()
            begun = begun or loss.item()
            if step % 200 == 0:
                tracker(step, loss=loss.item())
            descent.zero_grad()
            loss.backward()
            descent.step()
        run = tracker.run
        assert run["loss"][-1] < 0.9 * begun
        found[scale] = run["kernel_alignment"][-1]
        assert " after 600 steps: KA " in run.verdict()
        assert 1.0 <= run.change_rank()["0.weight"].participation <= 16.0
    assert found[0.5] < found[4.0]


def test_a_recurrent_network_trained_for_real_is_recorded_and_gone_on_with(tmp_path):
    """The worked example: which of two pulses came first, told at the end; saved half way."""
    torch.manual_seed(0)
    x = torch.zeros(64, 8, 2)
    first = torch.randint(0, 3, (64,))
    order = torch.randint(0, 2, (64,))
    x[range(64), first, order] = 1.0
    x[range(64), first + 4, 1 - order] = 1.0
    y = 2.0 * order.float() - 1.0
    model = nn.RNN(2, 24, batch_first=True)
    read = nn.Linear(24, 1)
    both = nn.ModuleDict({"states": model, "read": read})

    def answer(module, inputs):
        return module["read"](module["states"](inputs)[0][:, -1])

    descent = torch.optim.Adam(both.parameters(), lr=0.01)
    tracker = track(both, x[:24], targets=y[:24].numpy(), forward=answer)
    for step in range(161):
        loss = ((answer(both, x)[:, 0] - y) ** 2).mean()
        if step % 40 == 0:
            tracker(step, loss=loss.item())
        if step == 80:
            tracker.run.save(tmp_path / "half")
            tracker = track(both, x[:24], forward=answer, run=rl.runs.load(tmp_path / "half.npz"))
        descent.zero_grad()
        loss.backward()
        descent.step()
    run = tracker.run
    assert run["step"].tolist() == [0.0, 40.0, 80.0, 120.0, 160.0]
    assert run["loss"][-1] < 0.3 * run["loss"][0]
    assert np.all(run["kernel_alignment"][1:] < 0.9)
    assert run["target_alignment"][-1] > run["target_alignment"][0]
    assert set(run.change_rank()) >= {"states.weight_hh_l0", "read.weight"}
    curve = run.curve("kernel_alignment", "target_alignment")
    assert curve.axis == "updates"
    assert len(curve.plot().axes) == 2


def test_recording_costs_less_than_training():
    """A million parameters, 256 probes: under 2 GB, and less time than 100 steps between."""
    import resource

    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(784, 900), nn.ReLU(), nn.Linear(900, 300), nn.ReLU(), nn.Linear(300, 10)
    )
    assert sum(p.numel() for p in model.parameters()) > 0.97e6
    x, y = torch.randn(12_800, 784), torch.randint(0, 10, (12_800,))
    tracker = track(model, x[:256])
    descent = torch.optim.SGD(model.parameters(), lr=0.01)
    spent = {"recording": 0.0, "training": 0.0}
    for snapshot in range(4):
        begun = time.process_time()
        tracker(100 * snapshot)
        spent["recording"] += time.process_time() - begun
        begun = time.process_time()
        for some in range(100):
            batch = slice(128 * some, 128 * (some + 1))
            descent.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            descent.step()
        spent["training"] += time.process_time() - begun
    assert spent["recording"] < spent["training"], spent
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < 2e9


@pytest.mark.parametrize("block", of_module("richlazy.runs.torch"), ids=str)
def test_the_blocks_of_the_pages_run(block, capsys):
    model = nn.Linear(5, 2)
    probe, targets = torch.randn(6, 5), torch.randn(6, 2)

    def train(model):
        with torch.no_grad():
            model.weight.mul_(1.5)

    given = {"model": model, "probe": probe, "targets": targets, "train": train}
    exec(block.text, {**given, "loader": range(101), "loss": 1.0})  # noqa: S102
    assert "KA" in capsys.readouterr().out
