"""T17: the kernel and its parts against a Jacobian without formulas, by complex steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from richlazy.recurrent.kernel import tangent_kernel
from richlazy.recurrent.responses import controls, reads
from tests.theory.recurrent import cases


def by_complex_steps(at, task):
    """Derivatives of the seen responses by every weight, exact: nothing is subtracted."""
    seen, parts = cases.root(cases.metric(task)), []
    for part in range(3):
        columns = []
        for place in np.ndindex(at[part].shape):
            moved = [x.astype(complex) for x in at[:3]]
            moved[part][place] += 1e-30j
            slope = cases.response(cases.Weights(*moved, at.leak), task.steps).imag / 1e-30
            columns.append((cases.wide(slope) @ seen).ravel())
        parts.append(np.stack(columns, axis=1))
    return parts


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_every_part_is_its_jacobian_times_its_transpose(seed):
    net, task = cases.random_case(np.random.default_rng(seed), largest=5, leak=1.0)
    at = cases.weights(net)
    c, o = controls(at.w, at.u, task.steps), reads(at.w, at.v, task.steps)
    found = tangent_kernel(c, o, task.root)
    size = max(np.abs(x).max() for x in found)
    jacobian = by_complex_steps(at, task)
    for part, j in zip(("inputs", "recurrent", "readout"), jacobian, strict=True):
        np.testing.assert_allclose(getattr(found, part), j @ j.T, rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(found.gram, cases.gram(at, task), rtol=0, atol=1e-12 * size)
    rates = (0.3, 2.0, 1.0)
    weighted = sum(r * j @ j.T for r, j in zip(rates, jacobian, strict=True))
    np.testing.assert_allclose(found.total(rates), weighted, rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize("coloured", ["white", "weights", "cov"])
def test_the_slow_twin_has_the_jacobian_of_complex_steps_with_a_leak_too(coloured):
    net, task = cases.random_case(
        np.random.default_rng(4), largest=5, leak=0.4, coloured=coloured, steps=4
    )
    at = cases.weights(net)
    for mine, exact in zip(cases.jacobian(at, task), by_complex_steps(at, task), strict=True):
        np.testing.assert_allclose(mine, exact, rtol=1e-12, atol=1e-14)


def test_a_stack_is_its_members_one_by_one():
    rng = np.random.default_rng(0)
    c, o = rng.standard_normal((2, 3, 4, 5, 2)), rng.standard_normal((2, 3, 4, 3, 5))
    together = tangent_kernel(c, o)
    for place in np.ndindex(2, 3):
        for whole, alone in zip(together, tangent_kernel(c[place], o[place]), strict=True):
            np.testing.assert_allclose(whole[place], alone, rtol=1e-13, atol=1e-13)
