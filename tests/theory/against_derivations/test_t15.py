"""T15: the library's chains, first order and law against the claims at 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from richlazy import limits
from richlazy.averages.random_tasks import grouped
from richlazy.formulas import neuron
from richlazy.start.matrices import Estimate, Moments
from richlazy.two_layer import flow
from richlazy.two_layer.flow import Change
from richlazy.two_layer.reduction.krylov import Bidiagonal

T15 = load("T15")
TOLERANCE = 1e-12


def relative(found, claim):
    return float(abs(mpmath.mpf(float(found)) / claim - 1))


def spectra():
    """Singular values and task components: seeded random ones, steep ones, tiny, huge, spread."""
    rng = np.random.default_rng(7)
    for size in (2, 3, 10, 40):
        yield rng.uniform(0.1, 2.0, size), rng.standard_normal(size)
    yield np.arange(1, 31) ** -2.0, rng.standard_normal(30)
    yield np.array([1.0, 0.999]), np.array([1.0, 1.0])
    for scale in (1e-6, 1e6):
        yield scale * np.array([3.0, 1.0, 0.5]), np.array([0.1, 1.0, -2.0])


def moments(s, task):
    """b'R_0^j b, tr R_0, tr R_0^2 and the length of the task, with 50 digits."""
    s, task = ([mpmath.mpf(float(x)) for x in v] for v in (s, task))
    total = mpmath.fsum(b * b for b in task)
    values = {
        f"mu{j}": mpmath.fsum(b * b * x ** (2 * j) for b, x in zip(task, s, strict=True)) / total
        for j in (1, 2, 3)
    }
    traces = {f"p{j}": mpmath.fsum(x ** (2 * j) for x in s) for j in (1, 2)}
    return values | traces | {"d": len(s), "g": mpmath.sqrt(total)}


def chain(s, task, known):
    both = Moments(Estimate(float(known["p1"])), Estimate(float(known["p2"])))
    found = Bidiagonal(s, task[None], both)
    found.grow(1)
    return found


@pytest.mark.parametrize(("s", "task"), list(spectra()))
def test_coefficients(agreement, s, task):
    with mpmath.workdps(50):
        known = moments(s, task)
        found = chain(s, task, known)
        small = found.reduced(1)
        size = T15.evaluate("first_diagonal", **known)
        error = relative(found.alpha[0][0], size)
        assert agreement("T15 first_diagonal", error) < TOLERANCE
        # The others are what a subtraction leaves: their digits are those of the first one.
        beta = T15.evaluate("first_superdiagonal", **known)
        coupling = mpmath.sqrt(abs(T15.evaluate("coupling_1", **known)))
        for name, value, claim in (
            ("first_superdiagonal", found.beta[0][0], beta),
            ("coupling_1", np.sqrt(small.coupling[0]), coupling),
        ):
            error = abs(mpmath.mpf(float(value)) - claim) / size
            assert agreement(f"T15 {name}", error) < TOLERANCE


@pytest.mark.parametrize("time", [0.1, 1.0, 20.0])
@pytest.mark.parametrize(("s", "task"), list(spectra()))
def test_measures_of_the_first_order(agreement, s, task, time):
    """`neuron.trajectory` and `Reduced.measures` together, against the neuron of T6 put in."""
    with mpmath.workdps(50):
        known = moments(s, task)
        squared, c = (T15.evaluate(f"{x}_1", **known) for x in ("start_squared", "alignment"))
        g = known["g"]
        late = time / float(g + squared)
        state = neuron.trajectory(
            np.float64(squared / g), np.float64(c), np.float64(float(g) * late)
        )
        size = float(mpmath.sqrt(squared))
        change = Change(
            size * np.array([[[state.change_parallel, state.change_orthogonal]]]),
            size * np.array([[[state.readout]]]),
            np.array([False]),
        )
        found = chain(s, task, known).reduced(1).measures(change)
        at = {"sigma": mpmath.sqrt(squared), "r": 1, "c": c, "g": g, "t": mpmath.mpf(late)}
        t6 = load("T6")
        now = {
            name: t6.evaluate(f"active_{x}", digits=100, **at)
            for name, x in (("w_par", "parallel"), ("w_perp", "orthogonal"), ("a", "readout"))
        }
        for name in ("representation_alignment", "kernel_alignment"):
            claim = T15.evaluate(f"{name}_1", **known, **now)
            error = relative(getattr(found, name)[0], claim)
            assert agreement(f"T15 {name}_1", error) < TOLERANCE, name
        claim = mpmath.sqrt(T15.evaluate("weight_change_squared_1", **known, **now))
        error = relative(found.weight_change[0], claim)
        assert agreement("T15 weight_change_squared_1", error) < TOLERANCE


@pytest.mark.parametrize(("s", "_task"), list(spectra()))
def test_law_and_participation_ratio(agreement, s, _task):
    known = moments(s, np.ones(s.size))
    d = 3 * s.size
    for g in (0.3, 1.0, 1e3):
        given = {"p1": known["p1"], "p2": known["p2"], "d": d, "g": g}
        pr = T15.evaluate("participation_ratio", **given)
        ordered = np.sort(s)[::-1]
        error = relative(grouped(ordered, d).participation_ratio, pr)
        assert agreement("T15 participation_ratio", error) < TOLERANCE
        law = limits.law(float(pr), d, norm=float(mpmath.sqrt(known["p1"])), strength=g).mean
        for name in ("representation_alignment", "kernel_alignment"):
            claim = T15.evaluate(f"law_{name}_final", digits=80, **given)
            error = relative(getattr(law, name), claim)
            assert agreement(f"T15 law_{name}_final", error) < TOLERANCE, name


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_cut_chain_is_first_wrong_where_the_claim_says(order):
    """The loss of the whole chain minus that of the cut one, over the claim, tends to 1."""
    rng = np.random.default_rng(order)
    s, task = np.array([2.0, 1.7, 1.1, 0.8, 0.4]), rng.uniform(0.3, 1.0, 5)
    found = chain(s, task, moments(s, task))
    found.grow(s.size)
    assert found.complete
    alpha, beta = (np.ravel(x) for x in (found.alpha, found.beta))
    given = {
        "g": float(found.lengths[0]),
        "k": order,
        "rho": alpha[order] ** 2,
        "reach": np.prod(alpha[:order] * beta[:order]) ** 2,
    }
    times = np.array([0.01, 0.02, 0.04]) * (1, 3, 5)[order - 1]
    losses = []
    for network in (found.reduced(), found.reduced(order)):
        changes = [change for _, change in flow.integrate(network.problem, times, 1e-13)]
        losses.append(np.array([network.measures(change).loss[0] for change in changes]))
    claims = [float(T15.evaluate("loss_gap", t=t, **given)) for t in times]
    ratios = (losses[0] - losses[1]) / claims
    assert np.all(np.diff(np.abs(ratios - 1)) > 0)
    # The first two orders of what is left, extrapolated away.
    assert abs(ratios @ (8, -6, 1) / 3 - 1) < 0.02
