"""T6's neuron against the matrix Riccati solution of T5, and what its flow conserves."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from richlazy.formulas import neuron


def riccati_state(scale_squared, c, t):
    """T5 for one hidden unit and a unit task: q = (w_par, w_perp, a) = e^{Ft} q0 / sqrt(1 + M).

    F has lambda = -s^2, M is the integral of q0' e^{2Fs} q0; both by matrix exponentials.
    """
    with mpmath.workdps(120):
        square, c, t = mpmath.mpf(scale_squared), mpmath.mpf(c), mpmath.mpf(t)
        f = mpmath.matrix([[square / 2, 0, 1], [0, square / 2, 0], [1, 0, -square / 2]])
        q0 = mpmath.sqrt(square) * mpmath.matrix([mpmath.sqrt(c), mpmath.sqrt(1 - c), 0])
        augmented = mpmath.zeros(4)
        augmented[:3, :3] = 2 * f
        augmented[:3, 3] = q0
        integral = (q0.T * mpmath.expm(t * augmented)[:3, 3])[0]
        return mpmath.expm(t * f) * q0 / mpmath.sqrt(1 + integral), q0, mpmath.sqrt(square)


def fields(scale_squared, c, t):
    """Every field of `Neuron` from the Riccati solution, differences taken at 120 digits."""
    (parallel, orthogonal, readout), (parallel0, orthogonal0, _), s = riccati_state(
        scale_squared, c, t
    )
    with mpmath.workdps(120):
        return neuron.Neuron(
            parallel / s,
            orthogonal / s,
            readout / s,
            (parallel - parallel0) / s,
            (orthogonal - orthogonal0) / s,
            (parallel**2 + orthogonal**2) / s**2,
            (parallel * parallel0 + orthogonal * orthogonal0) / s**2,
            1 - readout * parallel,
            readout * orthogonal,
        )


def test_every_field_agrees_with_the_riccati_solution():
    rng = np.random.default_rng(7)
    square = 10 ** rng.uniform(-4, 4.5, 60)
    c = rng.choice([0.999999, 1.0, 1e-9, 0.5, 0.1], 60)
    t = 10 ** rng.uniform(-3, 2, 60) / np.hypot(1, square / 2)  # in units of the fast rate
    found = neuron.trajectory(square, c, t)
    worst, where = 0.0, ""
    for i in range(60):
        for name, value, exact in zip(
            neuron.Neuron._fields,
            (v[i] for v in found),
            fields(square[i], c[i], t[i]),
            strict=True,
        ):
            error = abs(value - exact) / abs(exact) if exact else abs(value)
            if error > worst:
                worst, where = float(error), f"{name} at {square[i]}, {c[i]}, {t[i]}"
    assert worst < 1e-13, f"worst {worst:.2e} in {where}"


wide = st.floats(-139.9, 139.9).map(lambda x: 10.0**x)
moderate = st.floats(-6, 6).map(lambda x: 10.0**x)
alignments = st.one_of(st.floats(0, 1), st.sampled_from([5e-324, 1e-300, 1 - 2**-53, 1.0]))
times = st.one_of(st.sampled_from([0.0, 1e300, np.inf]), st.floats(-12, 12).map(lambda x: 10.0**x))


@given(wide, alignments, times)
def test_nothing_overflows_and_nothing_is_nan(square, c, t):
    found = neuron.trajectory(np.float64(square), np.float64(c), np.float64(t))
    assert all(np.isfinite(v) for v in found)
    assert found.residual_parallel >= 0
    assert found.readout >= 0


@given(wide, alignments, times)
def test_what_gradient_flow_conserves(square, c, t):
    """|w|^2 - a^2 keeps its first value, s^2 (T1)."""
    found = neuron.trajectory(np.float64(square), np.float64(c), np.float64(t))
    kept = found.norm_squared - found.readout**2
    assert kept == pytest.approx(1, abs=1e-13 * max(1.0, found.norm_squared))
    length = np.hypot(found.parallel, found.orthogonal)
    assert found.norm_squared == pytest.approx(length**2, rel=1e-13)


@given(moderate, alignments, times)
def test_differences_and_residuals_are_those_of_the_state(square, c, t):
    found = neuron.trajectory(np.float64(square), np.float64(c), np.float64(t))
    cos, sin = np.sqrt(c), np.sqrt(1 - c)
    size = np.sqrt(found.norm_squared)
    for change, value, first in (
        (found.change_parallel, found.parallel, cos),
        (found.change_orthogonal, found.orthogonal, sin),
    ):
        assert change == pytest.approx(value - first, abs=1e-13 * size)
    assert found.overlap == pytest.approx(found.parallel * cos + found.orthogonal * sin, rel=1e-13)
    product = square * found.readout * found.parallel
    assert found.residual_parallel == pytest.approx(1 - product, abs=1e-12)
    assert found.residual_orthogonal == pytest.approx(
        square * found.readout * found.orthogonal, rel=1e-12, abs=1e-300
    )


@pytest.mark.parametrize("square", [1e-140, 1e-3, 0.7, 50.0, 1e140])
@pytest.mark.parametrize("c", [5e-324, 0.3, 1.0])
def test_infinity_is_the_late_limit(square, c):
    late, final = (
        neuron.trajectory(np.float64(square), np.float64(c), np.float64(t)) for t in (1e300, np.inf)
    )
    assert late == final
    mu_squared = (1 + np.hypot(1, 2 / square)) / 2  # mu^2/s^2 = (1 + sqrt(1 + 4/s^4))/2
    assert final.norm_squared == pytest.approx(mu_squared, rel=1e-13)
    assert final.residual_parallel == final.residual_orthogonal == final.orthogonal == 0
    assert final.change_orthogonal == pytest.approx(-np.sqrt(1 - c), rel=1e-15)


@pytest.mark.parametrize("t", [0.0, 3.0, np.inf])
def test_a_neuron_orthogonal_to_the_task_rests(t):
    found = neuron.trajectory(np.float64(2.0), np.float64(0.0), np.float64(t))
    assert found == neuron.Neuron(0, 1, 0, 0, 0, 1, 1, 1, 0)


def test_both_sides_of_every_seam_agree():
    """The series give way to closed forms at x = 2 and at theta = 1/2: nothing may jump there."""
    theta = np.array([1e-6, 0.1, 0.5 - 1e-9, 0.5 + 1e-9, 0.9, 1 - 1e-9])
    half = theta / np.sqrt(1 - theta**2)
    kappa = np.hypot(1, half)
    for seam in (
        neuron._SERIES_BELOW / (2 * kappa),
        neuron._SERIES_BELOW * (kappa + half),
        neuron._SERIES_BELOW / (kappa + half),
    ):  # in x, in delta t and in rho t
        before, after = (
            neuron.trajectory(2 * half, np.full(6, 0.4), seam * (1 + e)) for e in (-1e-12, 1e-12)
        )
        for a, b in zip(before, after, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10)


def test_arrays_broadcast():
    square, c, t = np.array([[0.1], [3.0]]), np.array([0.2, 0.7, 1.0]), np.float64(1.5)
    found = neuron.trajectory(square, c, t)
    for i, j in np.ndindex(2, 3):
        one = neuron.trajectory(square[i, 0], c[j], t)
        for a, b in zip(found, one, strict=True):
            assert np.shape(a) == (2, 3)
            assert a[i, j] == pytest.approx(float(b), rel=1e-14, abs=1e-300)
