"""What is of the wrong kind is refused with words that say what to write."""

from __future__ import annotations

import inspect
from dataclasses import is_dataclass

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

import richlazy as rl
from richlazy.curves import Curve
from richlazy.errors import KindError
from richlazy.sources import controls
from tests.theory.objects import DEEP, OTHER, TASK, W1, W2, curve, same, solution


def test_a_matrix_is_a_first_layer_with_a_silent_readout():
    start = rl.Network(W1)
    for first in (W1, csr_array(W1), start.factors, aslinearoperator(W1)):
        found = rl.solve(first, TASK)
        assert found.start.silent
        np.testing.assert_allclose(found.loss(1.0), rl.solve(start, TASK).loss(1.0), rtol=1e-8)
    assert rl.predict(W1, TASK, 1.0) == rl.predict(start, TASK, 1.0)
    same(rl.sequence(W1, [TASK, OTHER]).losses, rl.sequence(start, [TASK, OTHER]).losses)


NO_NETWORK = [None, 3.0, "celegans", [W1, W2], (W1, W2), W1.tolist(), W1[0], TASK]
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
