"""One object of every kind, for the tests of what they have in common."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, is_dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

import richlazy as rl
from richlazy.sources.source import find
from richlazy.start import matrices

RNG = np.random.default_rng(5)
W1, W2 = RNG.standard_normal((6, 9)) / 3, RNG.standard_normal((2, 6)) / 3
TASK, ONE, OTHER = (rl.Task.random(9, m, rng=seed) for m, seed in ((2, 1), (1, 2), (2, 3)))
COLOURED = rl.Task.teacher(RNG.standard_normal((2, 9)), np.diag(np.arange(1.0, 10.0)))
FLAT = rl.Network.from_spectrum(rl.spectrum.flat(3), task=ONE, hidden=6, alignment=0.4, rng=4)
SHARED = rl.Network(np.eye(3), np.eye(3))
PROBLEMS = {
    "modes": (SHARED, rl.Task(np.diag([3.0, 2.0, 1.0]))),
    "closed form": (FLAT, ONE),
    "riccati": (FLAT, ONE),
    "krylov": (rl.Network(W1, W2), TASK),
    "krylov of an operator": (rl.Network(aslinearoperator(W1)), ONE),
    "flow": (rl.Network(csr_array(W1)), COLOURED),
}
DEEP = [W1, RNG.standard_normal((6, 6)), W2]
AVERAGES = {
    "flat": {},
    "several outputs": {"outputs": 2},
    "law": {"method": "law"},
    "typical": {"method": "typical"},
    "sample": {"method": "sample", "tasks": 9},
    "one alignment": {"alignment": 0.4},
}


def solution(name):
    return rl.solve(*PROBLEMS[name], name.split(" of")[0])


def make_file(folder):
    path = folder / "circuit.csv"
    path.write_text("pre,post,synapses\nb,a,3\nb,c,1\n")
    return rl.files.read(path)


def descent():
    given = np.ones((2, 3, 4)), np.zeros((2, 1, 3)), np.ones((2, 1, 4))
    return rl.descent.descend(*given, step=0.01, steps=3, record=[0, 3])


OBJECTS = {
    "Task": lambda _: TASK,
    "Task, coloured": lambda _: COLOURED,
    "Network": lambda _: rl.Network(W1, W2),
    "Network, sparse": lambda _: rl.Network(csr_array(W1)),
    "Network, operator": lambda _: rl.Network(aslinearoperator(W1)),
    "Thin": lambda _: FLAT.first,
    **{f"Solution, {n}": lambda _, n=n: solution(n) for n in PROBLEMS},
    **{f"State, {n}": lambda _, n=n: solution(n).at(0.5) for n in PROBLEMS},
    **{f"Laziness, {n}": lambda _, n=n: solution(n).laziness(0.5) for n in PROBLEMS},
    **{f"Expected, {n}": lambda _, n=n: average(n) for n in AVERAGES},
    **{f"Statistic, {n}": lambda _, n=n: average(n).weight_change for n in AVERAGES},
    "Expectation": lambda _: rl.low_rank.expected(3, 9),
    "Moments": lambda _: matrices.second_moments(W1),
    "DeepSolution": lambda _: rl.deep.solve(DEEP, TASK),
    "DeepSolution, many": lambda _: rl.deep.solve([np.eye(2)] * 60, rl.Task(np.eye(2))),
    "Curriculum": lambda _: rl.sequence(W1, [TASK, OTHER]),
    "Curriculum, long": lambda _: rl.sequence(W1, [TASK, OTHER] * 3, times=0.1),
    "Stage": lambda _: rl.sequence(W1, [TASK, OTHER]).stages[1],
    "Descent": lambda _: descent(),
    **{f"Curve, {axis}": lambda _, axis=axis: curve(axis) for axis in rl.curves.MAKERS},
    "Map": lambda _: rl.curves.map("rank", "scale", inputs=9, norms=[0.5, 1.0]),
    "Connectome": lambda _: rl.connectomes.load("celegans"),
    "Input": make_file,
    "Source, family": lambda _: find("flat:rank=5,norm=2"),
    "Source, connectome": lambda _: find("celegans"),
}


def average(name):
    return rl.expect(rl.spectrum.flat(3), 9, **AVERAGES[name])


def curve(axis):
    given = {"rank": (30,), "depth": (0.1,)}.get(axis, (3, 30))
    return rl.curves.MAKERS[axis](*given)


def same(a, b):
    """Equal numbers, all the way down."""
    if isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif is_dataclass(a):
        for field in fields(a):
            if not field.name.startswith("_"):
                same(getattr(a, field.name), getattr(b, field.name))
    elif hasattr(a, "toarray"):
        same(a.toarray(), b.toarray())
    elif hasattr(a, "__dict__"):
        assert type(a) is type(b)
        for name in vars(a):
            if not name.startswith("_"):
                same(getattr(a, name), getattr(b, name))
    else:
        assert a == b


COPIES = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),  # noqa: S301
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
