"""T7 with several equal outputs: principal angles, and what `expect` makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import several_outputs, spectrum
from richlazy.averages import principal_angles
from richlazy.averages.expect import expect
from richlazy.averages.random_tasks import grouped
from richlazy.laziness import Measures


def test_principal_angles_are_those_of_random_rows():
    rng = np.random.default_rng(0)
    for rank, inputs, m in ((5, 12, 3), (2, 9, 3), (7, 8, 2), (3, 3, 2)):
        s = grouped(np.ones(rank), inputs)
        found = principal_angles.squared_cosines(s, m, 4000, rng)
        rows = np.linalg.qr(rng.standard_normal((4000, inputs, m)))[0][:, :rank]
        wanted = np.zeros((4000, m))
        sizes = np.linalg.svd(rows, compute_uv=False) ** 2
        wanted[:, : sizes.shape[1]] = sizes
        for power in (0.5, 1.0, 2.0):
            a, b = np.sum(found**power, axis=1), np.sum(wanted**power, axis=1)
            gap = abs(np.mean(a) - np.mean(b))
            assert gap <= 4.0 * np.hypot(np.std(a), np.std(b)) / np.sqrt(4000) + 1e-12


@pytest.mark.parametrize(
    ("rank", "inputs", "outputs", "norm"),
    [(6, 20, 2, 1.0), (2, 9, 3, 1.0), (9, 9, 3, 2.0), (1, 2, 2, 0.5), (4, 12, 4, 3.0)],
)
def test_several_outputs_sampled_are_the_closed_form(rank, inputs, outputs, norm):
    s = spectrum.flat(rank, norm)
    exact = expect(s, inputs, outputs=outputs, strength=1.5)
    assert exact.method == "closed form (T6, T7)"
    forced = expect(s, inputs, outputs=outputs, strength=1.5, method="closed form")
    assert forced.to_dict() == exact.to_dict()
    modes = np.full(outputs, 1.5 / np.sqrt(outputs))
    wanted = several_outputs.expected(rank, inputs, strengths=modes, norm=norm)
    for name in wanted.mean._fields:
        statistic = getattr(exact, name)
        assert statistic.mean == pytest.approx(float(getattr(wanted.mean, name)), rel=1e-14)
        assert statistic.sd == pytest.approx(float(getattr(wanted.sd, name)), abs=1e-15)
        assert statistic.standard_error == 0.0
    some = expect(s, inputs, outputs=outputs, strength=1.5, method="sample", tasks=300)
    assert some.method == "sample of 300 tasks by flow (T11)"
    for name in Measures._fields[:-1]:
        a, b = getattr(some, name), getattr(exact, name)
        allowed = 4.0 * np.hypot(a.standard_error, b.standard_error) + 1e-7
        assert abs(a.mean - b.mean) < allowed, name
    for name in ("weight_change", "representation_alignment", "kernel_alignment"):
        sd = getattr(exact, name).sd
        assert getattr(some, name).sd == pytest.approx(sd, rel=0.25, abs=1e-6)


def test_what_a_closed_form_of_several_outputs_says():
    found = expect(spectrum.flat(2), 9, outputs=3)
    assert found.tasks == 10_000
    assert "rank below the outputs: only 2 combinations of modes are learned" in found.assumptions
    assert "from 10000 sampled sets of principal angles" in found.accuracy
    assert found.weight_change.standard_error == pytest.approx(found.weight_change.sd / 100.0)
    assert found.loss.mean == pytest.approx(1.0 / 6.0)
    assert found.kernel_alignment.quantile(0.5) == pytest.approx(
        found.kernel_alignment.mean, abs=found.kernel_alignment.sd
    )
    fewer = expect(spectrum.flat(2), 9, outputs=3, tasks=50)
    assert fewer.tasks == 50
    assert fewer.kernel_alignment.mean == found.kernel_alignment.mean
    gap = abs(fewer.weight_change.mean - found.weight_change.mean)
    assert 0.0 < gap < 4.0 * fewer.weight_change.standard_error
    full = expect(spectrum.flat(9), 9, outputs=3)
    assert (full.accuracy, full.tasks, full.weight_change.sd) == ("exact", None, 0.0)
    finite = expect(spectrum.flat(2), 9, outputs=3, t=2.0, tasks=2)
    assert finite.method == "sample of 2 tasks by flow (T11)"


def test_too_low_a_rank_for_equal_strengths_settles():
    """What is learned of equal modes may still turn at no gain: curvature 0, to the tolerance."""
    some = expect(spectrum.flat(3), 8, outputs=4, method="sample", tasks=20)
    assert some.loss.mean == pytest.approx(0.5 * 0.5**2, rel=1e-9)
    assert some.loss.sd < 1e-9
