"""Every route of `solve` over the same starts: finite, silent about nothing, and in agreement."""

from __future__ import annotations

import re
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from richlazy import Network, Task, solve
from richlazy.errors import AssumptionError
from richlazy.two_layer.solve import Method

TIMES = np.array([0.0, 1e-9, 0.1, 1.0, 8.0])
entries = st.sampled_from([0.0, 0.0, 1e-8, -1e-3, 0.3, -0.5, 0.8, 1.0, -1.0, 2.0])


@st.composite
def cases(draw):
    d, h, m = (draw(st.integers(1, 4)) for _ in range(3))

    def matrix(rows, columns):
        values = draw(st.lists(entries, min_size=rows * columns, max_size=rows * columns))
        return np.reshape(values, (rows, columns))

    cov = matrix(m, d)
    if not np.any(cov):
        cov[0, 0] = 1.0
    root = np.eye(d) + 0.4 * matrix(d, d) if draw(st.booleans()) else None
    readout = matrix(m, h) if draw(st.booleans()) else None
    cov_xx = None if root is None else root @ root.T
    if cov_xx is not None:
        cov = cov @ cov_xx  # what data of these inputs can give
        if not np.any(cov):
            cov = np.eye(m, d) @ cov_xx
    return Network(matrix(h, d), readout), cov, cov_xx


def answers(start, task, times):
    """Every route that applies, with its measures."""
    found = {}
    for method in (None, *get_args(Method)):
        try:
            solution = solve(start, task, method)
        except AssumptionError:
            assert method is not None
            continue
        found[method] = solution, solution.measures(times)
    return found


def agree(found, times, rtol):
    wanted = found["flow"][1]
    start, task = found["flow"][0].start, found["flow"][0].task
    first = (start.factors.left * start.factors.values) @ start.factors.right.T
    size = np.linalg.norm(first) + (0.0 if start.silent else np.linalg.norm(start.readout))
    largest = max(0.5 * np.sum(task.whitened**2), wanted.loss[0])
    # from a plateau the flow knows what it once rounded only so well, and says so
    told = re.search(r"agree to ([\d.e+-]+) relative", found["flow"][0].accuracy)
    rtol = rtol + 3.0 * float(told[1])
    for method, (solution, got) in found.items():
        assert solution.method
        assert solution.assumptions
        assert solution.accuracy
        for field, a, b in zip(got._fields, got, wanted, strict=True):
            # 0/0 is where the start, and so its representation or kernel, is zero, or decays to it
            assert np.array_equal(np.isnan(a), np.isnan(b)), (method, field, a, b)
            known = ~np.isnan(b)
            scale = largest if field == "loss" else np.abs(b[known]).max(initial=0.0)
            rounding = 1e-14 * size if "weight" in field else 1e-30
            np.testing.assert_allclose(
                a[known], b[known], rtol=rtol, atol=rtol * scale + rounding,
                err_msg=f"{method}: {field}",
            )  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cases())
def test_all_routes_agree_and_nothing_is_nan(case):
    start, cov, cov_xx = case
    try:
        task = Task(cov, cov_xx)
    except ValueError:
        return  # cov_yx where the inputs have no variance
    agree(answers(start, task, TIMES), TIMES, 1e-7)


ENDS = {
    "modes": (np.diag([0.3, 0.2]), np.diag([0.1, 0.4]), np.diag([2.0, 1.0])),
    "neuron": (np.array([[0.3, 0.4]]), None, np.array([[1.0, 0.2]])),
    "flat": (0.5 * np.eye(3)[:2], None, np.array([[1.0, 0.2, 0.4], [0.3, -1.0, 0.1]])),
    "balanced": (0.5 * np.eye(2), 0.5 * np.eye(2), np.array([[2.0, 0.5], [0.1, 1.0]])),
    "anything": (np.array([[0.5, 0.1], [0.2, -0.7]]), np.array([[0.3, 0.2]]), np.ones((1, 2))),
}


@pytest.mark.parametrize("name", ENDS)
def test_all_routes_end_at_the_same_place(name):
    first, readout, cov = ENDS[name]
    times = np.array([0.5, 30.0, np.inf])
    found = answers(Network(first, readout), Task(cov), times)
    agree(found, times, 1e-7)
    assert len(found) >= 3


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 30.0, 1e3])
def test_scales(scale):
    rng = np.random.default_rng(1)
    for silent in (True, False):
        first = np.linalg.qr(rng.standard_normal((4, 3)))[0]
        start = Network(scale * first, None if silent else scale * rng.standard_normal((2, 4)))
        times = np.array([1e-3, 1.0, 10.0])
        agree(answers(start, Task(rng.standard_normal((2, 3))), times), times, 1e-6)
