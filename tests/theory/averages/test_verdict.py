"""What a kernel alignment is said to mean, and against what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from richlazy import Network, Task, expect, predict, several_outputs, spectrum
from richlazy.averages.verdict import CLOSE, LAZY, RICH, Verdict, verdict

SIZES = {"hidden": 60, "inputs": 60}


def said(s, **options):
    norm = float(np.linalg.norm(s))
    asked = {k: v for k, v in options.items() if k in ("outputs", "strength")}
    t = options.pop("t", np.inf)
    return verdict(
        expect(s, inputs=60, t=t, **asked),
        participation_ratio=spectrum.effective_rank(s),
        norm=norm,
        **SIZES,
        **options,
    )


@pytest.mark.parametrize(
    ("s", "regime"),
    [
        (spectrum.flat(3), "rich"),
        (spectrum.flat(60, 3.0), "lazy"),
        (spectrum.flat(30), "between rich and lazy"),
    ],
)
def test_the_regime_is_that_of_the_kernel_alignment(s, regime):
    found = said(s)
    assert found.regime == regime
    ka = found.kernel_alignment
    assert (ka >= LAZY) == (regime == "lazy")
    assert (ka <= RICH) == (regime == "rich")
    assert found.sentence.startswith(f"{regime}: KA {ka:.3f} (lazy from 0.9, rich to 0.5); ")


def test_the_references_are_what_the_start_is_not():
    found = said(spectrum.flat(5))
    full = expect(spectrum.flat(60), inputs=60).kernel_alignment.mean
    gaussian = expect(spectrum.gaussian(60, 60), inputs=60, method="typical").kernel_alignment.mean
    assert (found.full_rank, found.gaussian) == pytest.approx((full, gaussian), rel=1e-12)
    assert (
        f"richer than a flat full-rank start of this size and norm ({full:.3f})" in found.sentence
    )
    assert f"richer than a Gaussian start of this size and norm ({gaussian:.3f})" in found.sentence


def test_a_start_is_as_rich_as_itself_and_lazier_than_a_lower_rank():
    found = said(spectrum.flat(60))
    assert "as rich as a flat full-rank start" in found.sentence
    assert "lazier than a Gaussian start" in found.sentence
    assert f"participation ratio 60 of {60}" in found.sentence


def test_the_own_norm_is_told_by_the_law():
    found = said(spectrum.flat(5), own_norm=10.0)
    there = expect(spectrum.flat(5, 10.0), inputs=60).kernel_alignment.mean
    assert found.law_at_own_norm == pytest.approx(there, rel=1e-12)  # of a flat start it is exact
    assert found.sentence.endswith(
        "at the norm of the weights as given, 10, the participation-ratio law guesses "
        f"KA {there:.3f}"
    )


def test_close_to_one_the_distance_is_told():
    assert "KA 1 - " in said(spectrum.flat(60, 20.0)).sentence


def test_what_cannot_be_compared_is_left_out():
    assert said(spectrum.flat(60, 20.0)).gaussian is None  # deep in the lazy limit
    several = said(spectrum.flat(5), outputs=2)
    assert several.gaussian is None
    assert several.full_rank == expect(spectrum.flat(60), 60, outputs=2).kernel_alignment.mean
    assert said(spectrum.flat(5), outputs=2, t=1.0).full_rank is None
    assert "Gaussian" not in several.sentence


def test_one_task():
    task = Task.random(60, rng=0)
    start = Network.from_spectrum(spectrum.flat(5), task=task, hidden=60, rng=1)
    found = predict(start, task)
    words = verdict(found, participation_ratio=5.0, norm=1.0, **SIZES)
    assert words.kernel_alignment == found.kernel_alignment
    assert words.standard_error == 0.0


def test_an_undefined_alignment_is_neither():
    found = predict(Network([[0.0]], [[0.0]]), Task([1.0]))
    words = verdict(found, participation_ratio=1.0, hidden=1, inputs=1, norm=1.0)
    assert words.kernel_alignment is None
    assert words.sentence == "neither rich nor lazy: the kernel is zero at some time"


def test_it_goes_into_json():
    import json

    found = said(spectrum.flat(5), own_norm=2.0).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False))["sentence"].startswith("rich: ")


@given(st.integers(1, 60), st.floats(0.3, 3.0))
def test_what_differs_by_less_than_close_is_called_alike(rank, norm):
    found = said(spectrum.flat(rank, norm))
    gap = found.kernel_alignment - found.full_rank
    word = "as rich as" if abs(gap) <= CLOSE else "richer than" if gap < 0 else "lazier than"
    assert f"{word} a flat full-rank start" in found.sentence


def test_expect_brings_a_start_to_a_norm():
    for start in (spectrum.power_law(20, 1.0, 7.0), np.arange(12.0).reshape(3, 4)):
        inputs = 20 if np.ndim(start) == 1 else None
        size = float(np.linalg.norm(start))
        one = expect(start, inputs, norm=1.5, tasks=5)
        other = expect(start * (1.5 / size), inputs, tasks=5)
        assert one.kernel_alignment.mean == pytest.approx(other.kernel_alignment.mean, rel=1e-9)
        assert one.kernel_alignment.mean != expect(start, inputs, tasks=5).kernel_alignment.mean
    with pytest.raises(ValueError, match="norm must be > 0"):
        expect(spectrum.flat(3), 5, norm=0.0)


@pytest.mark.parametrize("norm", [1.0, 5.4, 5.5, 10.0])
def test_only_squared_norm_over_strength_decides_what_it_is_compared_with(norm):
    """A Gaussian start far above the task is all but lazy, and left out."""
    one = said(spectrum.flat(5, norm))
    other = said(spectrum.flat(5, 3.0 * norm), strength=9.0, own_norm=3.0 * norm)
    assert (one.gaussian is None) == (norm > 5.4)
    if one.gaussian is not None:
        assert other.gaussian == pytest.approx(one.gaussian, rel=1e-7)
    else:
        assert other.gaussian is None
    assert other.full_rank == pytest.approx(one.full_rank, rel=1e-9)
    # of a flat start the law is what `expect` says
    assert other.law_at_own_norm == pytest.approx(one.kernel_alignment, rel=1e-9)


def test_a_large_gaussian_reference_is_left_out():
    found = expect(spectrum.flat(5), 40)
    for most in (1000, 1001):
        words = verdict(
            found, participation_ratio=5.0, hidden=most, inputs=2 * most, norm=0.01, strength=1.0
        )
        assert (words.gaussian is None) == (most > 1000)
        assert words.largest == most


def test_several_outputs_are_beside_a_flat_start_at_the_end_of_learning():
    several = said(spectrum.flat(60), outputs=3, strength=2.0)
    wanted = several_outputs.expected(60, 60, strengths=np.full(3, 2.0 / np.sqrt(3.0)), norm=1.0)
    assert several.full_rank == float(wanted.mean.kernel_alignment)
    assert several.law_at_own_norm is None


def test_what_two_standard_errors_hide_is_called_alike():
    plain = {"regime": "rich", "gaussian": None, "participation_ratio": 1.0, "largest": 1}
    for error, word in ((0.0, "richer than"), (0.02, "richer than"), (0.03, "as rich as")):
        one = Verdict(kernel_alignment=0.3, standard_error=error, full_rank=0.35, **plain)
        assert word in one.sentence
    for gap, word in ((0.019, "as rich as"), (0.021, "lazier than")):
        one = Verdict(kernel_alignment=0.3 + gap, standard_error=0.0, full_rank=0.3, **plain)
        assert word in one.sentence


def test_inputs_that_are_not_white_have_no_references():
    """Those are over random tasks on white inputs, whose strength is another thing."""
    s = spectrum.flat(3)
    with_, without = said(s, own_norm=2.0), said(s, own_norm=2.0, white=False)
    assert None not in (with_.full_rank, with_.gaussian, with_.law_at_own_norm)
    assert without.full_rank is without.gaussian is without.law_at_own_norm is None
    assert without.sentence == (
        f"rich: KA {with_.kernel_alignment:.3f} (lazy from 0.9, rich to 0.5); "
        "participation ratio 3 of 60"
    )
