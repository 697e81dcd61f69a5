"""Target alignment of the library against the claims of T21 at 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derivations import load
from richlazy import Network, Task, deep, low_rank, several_outputs, solve

T6, T21 = load("T6"), load("T21")
POINTS = [
    # sigma, r, d, c, g, t
    (1.0, 5, 100, 0.3, 1.0, 2.0),
    (0.3, 1, 7, 0.02, 2.5, 1.0),
    (3.0, 7, 7, 1.0, 0.4, 0.7),
    (0.05, 3, 40, 0.999999, 1.5, 3.0),
    (10.0, 2, 10, 0.458, 1.0, 0.05),
]


def relative(found, claim):
    return float(abs(mpmath.mpf(float(found)) - claim) / abs(claim))


def end(sigma, r, g):
    """P and X of the end state, from more digits than the library has."""
    with mpmath.workdps(60):
        scale = mpmath.mpf(sigma) ** 2 / mpmath.mpf(g)
        x = scale / r
        return {"P": (x + mpmath.sqrt(x * x + 4)) / 2, "X": scale}


@pytest.mark.parametrize("point", POINTS)
def test_in_time(agreement, point):
    sigma, r, d, c, g, t = point
    values = dict(zip(("sigma", "r", "d", "c", "g", "t"), point, strict=True))
    names = {"w_par": "parallel", "w_perp": "orthogonal", "a": "readout"}
    now = {k: T6.evaluate(f"active_{v}", digits=100, **values) for k, v in names.items()}
    with mpmath.workdps(60):
        now["s"] = mpmath.mpf(sigma) / mpmath.sqrt(r)
    claim = T21.evaluate("target_alignment", r=r, d=d, **now)
    found = low_rank.measures(r, d, alignment=c, norm=sigma, strength=g, t=t)
    assert agreement("T21 target_alignment", relative(found.target_alignment, claim)) < 1e-13


@pytest.mark.parametrize("sigma", [1e-6, 1e-2, 1.0, 1e2, 1e6])
@pytest.mark.parametrize("r", [1, 5, 59])
def test_the_end(agreement, sigma, r):
    known = end(sigma, r, 1.3)
    claim = T21.evaluate("final_inverse_square", d=60, **known) ** -0.5
    for c in (1e-6, 0.3, 1.0):
        found = low_rank.measures(r, 60, alignment=c, norm=sigma, strength=1.3)
        error = relative(found.target_alignment, claim)
        assert agreement("T21 final_inverse_square", error) < 1e-13
    mean = low_rank.expected(r, 60, norm=sigma, strength=1.3)
    assert relative(mean.mean.target_alignment, claim) < 1e-13
    assert mean.sd.target_alignment == 0.0
    m = 3
    if r >= m:
        claim = T21.evaluate("outputs_inverse_square", d=60, m=m, **known) ** -0.5
        many = several_outputs.expected(r, 60, strengths=[1.3] * m, norm=sigma)
        error = relative(many.mean.target_alignment, claim)
        assert agreement("T21 outputs_inverse_square", error) < 1e-13


@pytest.mark.parametrize("r", [1, 5, 60])
def test_the_start_and_the_limits(agreement, r):
    d = 60
    start = low_rank.expected(r, d, t=0.0).mean.target_alignment
    error = relative(start, T21.evaluate("target_alignment_start_mean", r=r, d=d))
    assert agreement("T21 target_alignment_start_mean", error) < 1e-13
    lazy = low_rank.measures(r, d, alignment=1.0, norm=1e6).target_alignment
    error = relative(lazy, T21.evaluate("target_alignment_lazy", r=r))
    assert agreement("T21 target_alignment_lazy", error) < 1e-9
    rich = low_rank.measures(r, d, alignment=1.0, norm=1e-6).target_alignment
    error = relative(rich, T21.evaluate("target_alignment_rich", d=d))
    assert agreement("T21 target_alignment_rich", error) < 1e-9


sizes = st.integers(1, 60)


@given(sizes, st.integers(1, 500), st.floats(-4, 4), st.sampled_from([1, 2, 5]))
def test_low_ranks_end_better_aligned(r, more, x, m):
    """Strictly, at every norm: equal outputs, no more than the lower rank."""
    low, high = r + m - 1, r + m - 1 + more
    ends = several_outputs.expected([low, high], high, strengths=np.ones(m), norm=10.0**x)
    first, second = ends.mean.target_alignment
    assert first >= second * (1 - 1e-13)
    if m == 1:
        one = low_rank.expected([low, high], high, norm=10.0**x).mean.target_alignment
        np.testing.assert_allclose(one, [first, second], rtol=1e-12)


@given(sizes, st.floats(1e-6, 1.0), st.floats(-3, 3))
def test_the_kernel_along_the_task_rises(r, c, x):
    """<S, K S> of the flat start, from its target alignment and the norm of its kernel."""
    d, t = 70, np.array([0.0, 0.1, 1.0, 10.0, 100.0, np.inf])
    found = low_rank.measures(r, d, alignment=c, norm=10.0**x, t=t)
    s2, state = 100.0**x / r, found.weight_change_readout**2
    trace = 100.0**x + state  # tr R - tr B is conserved
    square = (r - 1) * s2**2 + (s2 + state) ** 2
    norm = np.sqrt(square + 2 * trace * state + d * state**2)
    along = found.target_alignment * norm
    assert np.all(np.diff(along) >= -1e-12 * along[1:])


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.sampled_from([0.3, 1.0, 3.0]))
def test_two_layers_and_deep_networks_agree(seed, m, scale):
    rng = np.random.default_rng(seed)
    w1, w2 = scale * rng.standard_normal((4, 5)), scale * rng.standard_normal((m, 4))
    task = Task(rng.standard_normal((m, 5)))
    mine, other = solve(Network(w1, w2), task), deep.solve([w1, w2], task)
    t = np.array([0.0, 0.5])
    np.testing.assert_allclose(mine.target_alignment(t), other.target_alignment(t), rtol=1e-7)
