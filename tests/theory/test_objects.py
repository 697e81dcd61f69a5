"""What every object has in common: how it prints, that it survives a copy, what it refuses."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

import richlazy as rl
from richlazy.curves import Curve
from richlazy.errors import KindError, generator
from richlazy.sources import controls
from richlazy.sources.source import find
from richlazy.start import matrices
from richlazy.start.task import random_directions
from richlazy.summary import number, summary

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


# How objects print


@pytest.mark.parametrize("name", [n for n in OBJECTS if n not in ("Expectation", "Moments")])
def test_every_object_prints_within_a_few_lines(name, tmp_path):
    thing = OBJECTS[name](tmp_path)
    text = repr(thing)
    assert text.startswith(f"{type(thing).__name__}(")
    assert text.endswith(")")
    lines = text.splitlines()
    assert len(lines) <= (4 if name.startswith("Curriculum") else 3)
    assert max(map(len, lines)) <= 100
    assert not any(word in text for word in ("0x", "array(", "[", "lambda", "object at", "np."))


def test_what_objects_say():
    assert repr(TASK) == "Task(inputs=9, outputs=2, strength=1, cov_xx=white)"
    assert repr(COLOURED).endswith("cov_xx=9 x 9)")
    assert repr(FLAT.first) == "Thin(hidden=6, inputs=9, rank=3, norm=1)"
    found = solution("closed form")
    laziness = repr(found.laziness())
    assert "method='closed form (T6)', time=inf, " in laziness
    assert f"kernel_alignment={number(float(found.kernel_alignment()))}" in laziness
    expected = average("flat")
    ka = expected.kernel_alignment
    assert f"kernel_alignment={ka.mean:.4g} ± {ka.sd:.1g}" in repr(expected)
    assert f"mean={ka.mean:.4g}, sd={ka.sd:.4g}, standard_error=0)" in repr(ka)
    state = found.at(2.0)
    moved = number(float(found.measures(2.0).weight_change_input))
    assert f"weight_change_input={moved}" in repr(state)
    deep = repr(rl.deep.solve(DEEP, TASK))
    assert "layers=3, widths=9 -> 6 -> 6 -> 2" in deep


def test_an_operator_is_not_multiplied_with_to_be_printed():
    class Silent(type(aslinearoperator(W1))):
        def _matmat(self, x):
            raise AssertionError

    assert "norm=not measured" in repr(rl.Network(Silent(W1)))


def test_long_texts_are_cut_and_quoted():
    text = summary(object(), short="silent", note="a, " * 80, other="b" * 300)
    assert max(map(len, text.splitlines())) <= 100
    assert "short=silent," in text
    assert "...'," in text
    assert text.endswith("...)")


# Copies


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_survives_a_copy(name, way, tmp_path):
    thing = OBJECTS[name](tmp_path)
    again = COPIES[way](thing)
    assert type(again) is type(thing)
    if "operator" not in name:
        assert repr(again) == repr(thing)
        same(again, thing)


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_can_be_compared(name, tmp_path):
    """Those that hold arrays are equal to themselves alone: NumPy has no one answer for them."""
    thing = OBJECTS[name](tmp_path)
    again = pickle.loads(pickle.dumps(thing))  # noqa: S301
    assert thing == thing
    assert isinstance(thing == again, bool)
    assert {thing: 1}[thing] == 1


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_copied_solution_answers_as_before_and_at_new_times(name, way):
    found, twin = solution(name), solution(name)
    for asked in (found, twin):
        asked.measures([0.3, 1.0])
        asked.at(0.4)
    again = COPIES[way](found)
    for t in (0.3, [0.3, 1.0], [0.0, 0.7, np.inf]):
        same(tuple(again.measures(t)), tuple(twin.measures(t)))
    assert (again.method, again.accuracy) == (twin.method, twin.accuracy)
    assert again.assumptions == twin.assumptions
    same(again.at(0.9).function(), twin.at(0.9).function())
    same(rl.path_length(again, 0.5), rl.path_length(twin, 0.5))


@pytest.mark.parametrize("way", COPIES)
def test_a_copied_deep_solution_answers_as_before(way):
    found, twin = (rl.deep.solve(DEEP, TASK) for _ in range(2))
    found.measures(0.3)
    twin.measures(0.3)
    again = COPIES[way](found)
    same(tuple(again.measures([0.3, 0.7])), tuple(twin.measures([0.3, 0.7])))
    assert again.accuracy == twin.accuracy


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", [n for n in AVERAGES if n != "typical"])
def test_copied_averages_keep_their_quantiles(name, way):
    found = average(name)
    again, q = COPIES[way](found), [[0.0, 0.1], [0.5, 1.0]]
    assert again == found
    for measure in ("kernel_alignment", "weight_change", "loss"):
        before, after = (getattr(x, measure).quantile(q) for x in (found, again))
        assert after.shape == (2, 2)
        same(after, before)


# Chance

CHANCE = {
    "recurrent.turn": lambda rng: np.asarray(
        rl.recurrent.turn(30, 3, gain=0.6, tasks=3, rng=rng).weight_change
    ),
    "Task.random": lambda rng: rl.Task.random(9, 2, rng=rng).cov_yx,
    "Network.from_spectrum": lambda rng: rl.Network.from_spectrum(
        [2.0, 1.0], task=TASK, hidden=4, rng=rng
    ).first.toarray(),
    "Network.from_spectrum, aligned": lambda rng: rl.Network.from_spectrum(
        [2.0, 1.0], task=TASK, hidden=4, alignment=0.3, rng=rng
    ).first.toarray(),
    "spectrum.gaussian": lambda rng: rl.spectrum.gaussian(5, 7, rng=rng),
    "spectrum.participation_ratio": lambda rng: large("participation_ratio", rng).value,
    "matrices.second_moments": lambda rng: large("second_moments", rng).trace_square.value,
    "matrices.rescaled": lambda rng: large("rescaled", rng) @ np.ones(1100),
    "matrices.second_moments_trace": lambda rng: large("second_moments_trace", rng),
    "random_directions": lambda rng: random_directions(5, 2, rng),
    "expect": lambda rng: rl.expect(W1, method="sample", tasks=5, rng=rng).weight_change.mean,
    "controls.gaussian": lambda rng: controls.gaussian(W1, rng),
    "controls.shuffled": lambda rng: controls.shuffled(W1, rng),
    "controls.degree_preserving": lambda rng: controls.degree_preserving(W1 * (W1 > 0), rng),
}
OPTIONAL = {
    "spectrum.gaussian", "spectrum.participation_ratio", "matrices.second_moments",
    "matrices.rescaled", "matrices.second_moments_trace", "expect", "recurrent.turn",
}  # fmt: skip


def large(what, rng):
    """An answer that needs probes: of an operator too large to be made dense for it."""
    operator = aslinearoperator(csr_array(np.diag(np.arange(1.0, 1101.0)) + np.eye(1100, k=1)))
    if what == "participation_ratio":
        return rl.spectrum.participation_ratio(operator, rng)
    if what == "rescaled":
        return matrices.rescaled(operator, 1.0, rng)
    return getattr(matrices, what)(operator, rng)


@pytest.mark.parametrize("name", CHANCE)
def test_a_seed_is_a_generator_of_that_seed(name):
    draw = CHANCE[name]
    first = draw(3)
    same(np.asarray(draw(3)), np.asarray(first))
    same(np.asarray(draw(np.int64(3))), np.asarray(first))
    same(np.asarray(draw(np.random.default_rng(3))), np.asarray(first))
    assert not np.array_equal(draw(4), first)
    shared = np.random.default_rng(3)
    draw(shared)
    assert not np.array_equal(draw(shared), first)


@pytest.mark.parametrize("wrong", [True, np.True_, 1.0, "0", [1], np.random, object(), -1, None])
@pytest.mark.parametrize("name", CHANCE)
def test_what_is_neither_seed_nor_generator_is_refused(name, wrong):
    if wrong is None and name in OPTIONAL:
        same(np.asarray(CHANCE[name](None)), np.asarray(CHANCE[name](None)))
        return
    with pytest.raises(ValueError, match=r"^rng must be a seed"):
        CHANCE[name](wrong)


def test_rng_is_refused_where_it_would_not_be_needed():
    for ask in (rl.spectrum.participation_ratio, rl.expect, matrices.second_moments):
        with pytest.raises(TypeError, match=r"^rng must be a seed"):
            ask(W1, rng="0")


def test_every_public_function_that_takes_rng_is_tested_here():
    rooms = [value for name in rl.__all__ if inspect.ismodule(value := getattr(rl, name))]
    things = [getattr(room, name) for room in (*rooms, controls, matrices) for name in room.__all__]
    things += [getattr(rl, name) for name in rl.__all__]
    things += [m for c in (rl.Task, rl.Network, rl.Thin) for _, m in inspect.getmembers(c)]
    taking = set()
    for thing in filter(callable, things):
        try:
            if "rng" in inspect.signature(thing).parameters:
                taking.add(thing.__name__)
        except ValueError:
            continue
    assert taking <= {name.split(",")[0].split(".")[-1] for name in CHANCE}
    assert "random" in taking


def test_generator_says_the_name_and_what_to_write():
    with pytest.raises(KindError, match=r"^chance must be .*; it is True: write chance=0 or"):
        generator(True, "chance")


# Kinds


def test_a_matrix_is_a_first_layer_with_a_silent_readout():
    start = rl.Network(W1)
    for first in (W1, csr_array(W1), start.factors, aslinearoperator(W1)):
        found = rl.solve(first, TASK)
        assert found.start.silent
        np.testing.assert_allclose(found.loss(1.0), rl.solve(start, TASK).loss(1.0), rtol=1e-8)
    assert rl.predict(W1, TASK, 1.0) == rl.predict(start, TASK, 1.0)
    same(rl.sequence(W1, [TASK, OTHER]).losses, rl.sequence(start, [TASK, OTHER]).losses)


NO_NETWORK = [None, 3.0, "celegans", [W1, W2], (W1, W2), W1.tolist(), W1[0], W1[None], TASK]
NO_TASK = [None, 3.0, "task", TASK.cov_yx, TASK.cov_yx[0], csr_array(W1), rl.Network(W1), [TASK]]


@pytest.mark.parametrize("wrong", NO_NETWORK, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize(
    "ask",
    [
        lambda start: rl.solve(start, TASK),
        lambda start: rl.predict(start, TASK),
        lambda start: rl.sequence(start, [TASK]),
        lambda start: rl.Solution(start, TASK, solution("krylov")._route),
    ],
    ids=["solve", "predict", "sequence", "Solution"],
)
def test_what_is_no_network_is_refused_in_words(ask, wrong):
    with pytest.raises(TypeError, match=r"^start must be a Network; it is .*: write Network\(W1\)"):
        ask(wrong)


@pytest.mark.parametrize("wrong", NO_TASK, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize(
    "ask",
    [
        lambda task: rl.solve(W1, task),
        lambda task: rl.predict(W1, task),
        lambda task: rl.sequence(W1, [TASK, task]),
        lambda task: rl.deep.solve(DEEP, task),
        lambda task: rl.deep.DeepSolution(DEEP, task),
        lambda task: rl.Solution(rl.Network(W1), task, solution("krylov")._route),
        lambda task: rl.Network(W1).alignment(task),
        lambda task: rl.Network.from_spectrum([1.0], task=task, hidden=3, rng=0),
    ],
    ids=["solve", "predict", "sequence", "deep", "Deep", "Solution", "alignment", "from_spectrum"],
)
def test_what_is_no_task_is_refused_in_words(ask, wrong):
    with pytest.raises(TypeError, match=r"must be a Task; it is .*: write Task\(cov_yx\), or"):
        ask(wrong)


def test_the_message_gives_the_shape():
    with pytest.raises(KindError, match=r"^task must be a Task; it is ndarray of shape \(2, 9\): "):
        rl.solve(W1, TASK.cov_yx)


@pytest.mark.parametrize("wrong", [None, W1, rl.Network(W1), rl.deep.solve(DEEP, TASK)])
def test_what_has_no_path_is_refused(wrong):
    with pytest.raises(KindError, match=r"^solution must be a Solution; .*: write solve\(start, t"):
        rl.path_length(wrong)


def test_a_list_is_asked_for_where_one_is_needed():
    with pytest.raises(KindError, match=r"^tasks must be a list; it is Task: write \[task\]"):
        rl.sequence(W1, TASK)
    with pytest.raises(KindError, match=r"^weights must be a list; it is Network: write \[W1, "):
        rl.deep.solve(rl.Network(W1), TASK)


def test_a_curve_takes_arrays():
    good = {"axis": "rank", "x": np.ones(2), "columns": {"loss": np.ones(2)}}
    Curve(**good)
    for wrong in ({"x": [1, 2]}, {"columns": [1]}, {"columns": {"loss": [1, 2]}}):
        with pytest.raises(KindError, match="must be a"):
            Curve(**{**good, **wrong})
    for wrong in ([1], {"parameters": [1]}):
        with pytest.raises(KindError, match="must be a dict; it is list"):
            Curve(**good, provenance=wrong)


ODD = [
    None, True, "text", b"bytes", 3.5, object(), {}, [rl.Network(W1)], lambda x: x, np.random,
    np.ones(3), W1.tolist(), rl.Network(W1), TASK, solution("krylov"), curve("rank"),
]  # fmt: skip
VALID = {
    "start": rl.Network(W1), "task": TASK, "tasks": [TASK], "solution": solution("krylov"),
    "weights": W1, "first": W1, "readout": W2, "cov_yx": TASK.cov_yx, "singular_values": [1.0],
    "hidden": 3, "inputs": 4, "rng": 0, "rank": 2, "alignment": 0.5, "basis": np.eye(9, 1),
    "matrix": W1, "count": 3, "left": np.eye(3, 1), "right": np.eye(4, 1), "initial": np.eye(3),
    "final": np.eye(3), "name": "celegans", "text": "", "axis": "rank", "x": np.ones(2),
    "columns": {"loss": np.ones(2)}, "y": np.ones(2),
}  # fmt: skip


def public_functions():
    found = {}
    for name in rl.__all__:
        thing = getattr(rl, name)
        if not inspect.ismodule(thing):
            found[name] = thing
        elif name != "errors":
            found |= {f"{name}.{inner}": getattr(thing, inner) for inner in thing.__all__}
    for inner in controls.__all__:
        found[f"controls.{inner}"] = getattr(controls, inner)
    objects = {
        "Task": rl.Task, "task": TASK, "Network": rl.Network, "network": rl.Network(W1),
        "Thin": rl.Thin, "solution": solution("krylov"), "deep": rl.deep.solve(DEEP, TASK),
    }  # fmt: skip
    for name, thing in objects.items():
        for inner in dir(thing):
            if not inner.startswith("_") and inspect.ismethod(method := getattr(thing, inner)):
                found[f"{name}.{inner}"] = method
    return found


def takes_arguments(thing):
    """Whether it is a function or an object that checks what it is made of: no record."""
    record = inspect.isclass(thing) and (issubclass(thing, tuple) or is_dataclass(thing))
    return inspect.isroutine(thing) or (inspect.isclass(thing) and not record) or thing is Curve


FUNCTIONS = {name: f for name, f in public_functions().items() if takes_arguments(f)}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore")  # numbers may be far from sense: what is tested are kinds
def test_no_wrong_kind_gives_an_attribute_error(name):
    function = FUNCTIONS[name]
    parameters = inspect.signature(function).parameters.values()
    needed = {
        p.name: VALID.get(p.name, 1.0)
        for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }
    if name in ("deep.solve", "deep.DeepSolution"):
        needed["weights" if name == "deep.solve" else "start"] = DEEP
    for parameter in parameters:
        for wrong in ODD:
            try:
                function(**{**needed, parameter.name: wrong})
            except (TypeError, ValueError, OSError):
                continue
