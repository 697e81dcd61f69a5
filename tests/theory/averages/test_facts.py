"""Numbers and limits of the rules that THEORY.md states, T9, T14 and T15, from expect and solve."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import connectomes, low_rank, spectrum
from richlazy.averages.expect import expect
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import solve

ALIGNED = ("weight_change", "representation_alignment", "kernel_alignment")


def means(found):
    return np.array([getattr(found, name).mean for name in ALIGNED])


def rounded(found, *digits):
    return tuple(round(float(mean), n) for mean, n in zip(means(found), digits, strict=True))


@pytest.fixture(scope="module")
def worm():
    weights = connectomes.load("celegans").weights
    return weights / np.linalg.norm(weights)


def test_the_connectome_at_norm_one(worm):
    # T14: KA 0.33191 typical, 0.33193 +- 0.00005 sampled; RA 0.1901 and 0.1906
    typical, sample = expect(worm, method="typical"), expect(worm)
    assert rounded(typical, 3, 4, 5) == (1.382, 0.1901, 0.33191)
    for name, quoted, error in (
        ("weight_change", 1.382, 0.0005),
        ("representation_alignment", 0.1906, 0.0),
        ("kernel_alignment", 0.33193, 0.00005),
    ):
        found = getattr(sample, name)
        assert abs(found.mean - quoted) < 4.0 * np.hypot(found.standard_error, error)
    assert typical.kernel_alignment.standard_error is None
    # T15: the law is T6 at c = PR/d, 1.383, 0.192, 0.3321; its average over c in 1.384
    law = expect(worm, method="law")
    ratio = spectrum.effective_rank(worm)
    k1 = low_rank.measures(ratio, 279, alignment=ratio / 279)
    assert np.round(k1.weight_change, 3) == 1.383
    assert rounded(law, 3, 3, 4) == (1.384, 0.192, 0.3321)
    np.testing.assert_allclose(means(law)[1:], [k1.representation_alignment, k1.kernel_alignment])
    assert f"rank PR = {ratio:.4g}" in law.assumptions[-1]
    assert "inside the law's domain" in law.accuracy


def test_a_power_law_inside_the_domain_of_the_law():
    # T15: law 1.349, 0.290, 0.485
    s = spectrum.power_law(64, 0.5)
    law, sample = expect(s, 64, method="law"), expect(s, 64)
    ratio = spectrum.effective_rank(s)
    k1 = low_rank.measures(ratio, 64, alignment=ratio / 64)
    assert np.round(k1.weight_change, 3) == 1.349
    np.testing.assert_array_equal(np.round(means(law)[1:], 3), [0.290, 0.485])
    assert "inside the law's domain" in law.accuracy
    np.testing.assert_allclose(means(law), means(sample), rtol=0.01)


def test_a_power_law_outside_the_domain_of_the_law():
    # T15: power law 2, norm 3: KA 0.17 against 0.78
    s = spectrum.power_law(64, 2.0, norm=3.0)
    law, sample = expect(s, 64, method="law"), expect(s, 64)
    assert np.round(law.kernel_alignment.mean, 2) == 0.17
    assert np.round(sample.kernel_alignment.mean, 2) == 0.78
    assert "OUTSIDE the law's domain" in law.accuracy
    typical = expect(s, 64, method="typical").kernel_alignment
    assert typical.mean == pytest.approx(sample.kernel_alignment.mean, abs=0.005)


def test_unequal_strengths_break_the_rule():
    # T9: d = 150, strengths 1 and 0.05, norm^2 = 56.2: E KA 0.905 at r = 28, 0.886 at full rank
    rng = np.random.default_rng(0)
    found = {}
    for rank, count in ((28, 12), (150, 1)):  # at full rank every task is the same
        values = []
        for _ in range(count):
            modes = Task.random(150, 2, rng=rng).modes
            task = Task((modes.left * [1.0, 0.05]) @ modes.right.T)
            s = spectrum.flat(rank, np.sqrt(56.2))
            start = Network.from_spectrum(s, task=task, hidden=150, rng=rng)
            values.append(float(solve(start, task).kernel_alignment()))
        found[rank] = np.mean(values), np.std(values) / np.sqrt(count)
    assert abs(found[28][0] - 0.905) < 4.0 * found[28][1] + 0.0005
    assert np.round(found[150][0], 3) == 0.886
    assert found[28][0] - found[150][0] > 8.0 * found[28][1]


def test_finite_time_breaks_the_rule():
    # T9: d = 100, norm 3, t = 2
    low, full = (expect(spectrum.flat(r, 3.0), 100, t=2.0).kernel_alignment.mean for r in (1, 100))
    assert (round(low, 4), round(full, 4)) == (0.9995, 0.9965)
