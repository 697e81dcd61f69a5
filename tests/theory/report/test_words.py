"""Sentences and tables of a report, from readings made up so that every case is in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from richlazy.report import contents, words
from richlazy.report import first_layer as first_layers
from richlazy.report.comparison import compared
from richlazy.report.recurrent import MEASURES, Recurrent, Setting, Start
from richlazy.sources.source import Source
from tests.theory.report.reports import alone, of, sparse_weights


def start(name, draws, radius=0.5):
    return Start(name, draws, 3.0, 0.6, radius, "solved", "exact")


def reading(shifts, radius=0.5, notes=()):
    """A circuit beside controls whose measures are shifted by so much, {name: {measure: shift}}."""
    rng = np.random.default_rng(0)
    mine = {name: 0.4 + 0.01 * rng.random(8) for name in MEASURES}
    theirs = {
        control: {m: v - by.get(m, 0.0) + 1e-4 * rng.random(8) for m, v in mine.items()}
        for control, by in shifts.items()
    }
    starts = (start("w", mine, radius), *(start(name, v) for name, v in theirs.items()))
    return Recurrent(
        Source("w", np.eye(3)), Setting(4, 2, 1), 1.5, None, starts, compared(mine, theirs), notes
    )


@pytest.fixture(scope="module")
def first():
    """A first-layer reading without replicates to wait for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_layers, "REPLICATES", 2)
        return of(sparse_weights((5, 7)))


@pytest.mark.parametrize("kernel", [-0.1, 0.0, 0.1])
@pytest.mark.parametrize("weights", [-0.1, 0.0, 0.1])
def test_a_sentence_says_what_the_differences_say(kernel, weights):
    shifts = {"kernel_alignment": kernel, "weight_change_recurrent": weights}
    found = reading({"b": shifts, "c": {}})
    # what differs by less than its noise is as much: the rest is a tenth
    ka, dw = (found.of("b", m) for m in ("kernel_alignment", "weight_change_recurrent"))
    line = next(x for x in words.recurrent(found) if x.startswith("- Its kernel") and "with b" in x)
    kernel_words, weight_words = line.split("; W moves ")
    if kernel < 0:
        assert kernel_words.startswith("- Its kernel moves more than with b (")
        assert kernel_words.endswith("): richer")
    elif kernel > 0:
        assert kernel_words.startswith("- Its kernel moves less than with b (")
        assert kernel_words.endswith("): lazier")
    elif not ka.differs:
        assert kernel_words.startswith("- Its kernel moves as much as with b (")
    much = "more" if weights > 0 else "less" if weights < 0 else None
    if much is not None or not dw.differs:
        assert weight_words.startswith(f"{much or 'as much'} (")
    assert f"KA {ka.mine:.4f} against {ka.theirs:.4f}, effect {ka.effect:.2g}, p = " in kernel_words
    assert f"||dW_h|| {dw.mine:.4f} against {dw.theirs:.4f}, effect {dw.effect:.2g}" in weight_words


def test_the_first_lines_hold_setting_means_and_spreads():
    found = reading({"b": {}}, notes=("one.", "two"))
    lines = words.recurrent(found)
    assert "random tasks of strength 1 over 4 steps, 2 in, 1 out" in lines[0]
    assert "gain 1 (as given: 1.5), spectral radius 0.5; " in lines[0]
    mine = found.starts[0]
    values = mine.draws["kernel_alignment"]
    assert f"Over 8 draws KA = {values.mean():.4f} ± {values.std(ddof=1):.4f}, RA = " in lines[2]
    assert lines[2].endswith("(solved; exact).")
    assert lines[-2:] == ["- one.", "- two."]
    assert f"adjusted for {len(MEASURES)} comparisons" in "\n".join(lines)
    alone_ = words.recurrent(reading({}, radius=None))
    assert "spectral radius" not in alone_[0]
    assert "comparisons" not in "\n".join(alone_)
    assert any(x.startswith("± is the standard deviation over 8 draws") for x in alone_)


def test_the_table_has_a_row_for_every_start():
    header, rows = words.starts(reading({"b": {}}, radius=None))
    assert header == ["start", "PR", "gain", "spectral radius", *MEASURES.values()]
    assert [row[:4] for row in rows] == [["w", "3.0", "0.6", "-"], ["b", "3.0", "0.6", "0.5"]]
    assert all(len(row) == len(header) for row in rows)
    assert rows[0][4].startswith("0.40")
    assert " ± 0.00" in rows[0][4]


def test_side_by_side_every_input_has_what_it_was_read_as(first):
    circuit = reading({})
    both = contents.Report(first.source, replace(circuit, source=first.source), first)
    only = contents.Report(circuit.source, circuit, None)
    header, rows = words.side_by_side([both, only, alone(first)])
    assert header[:4] == ["input", "neurons", "PR", "spectral radius"]
    assert header[4:8] == [f"{label}, recurrent" for label in MEASURES.values()]
    assert header[8:] == [f"{label}, first layer" for label in first_layers.MEASURES.values()]
    assert all(len(row) == len(header) for row in rows)
    own = [first_layers.shown(m, first.entries[0].mean(m)) for m in first_layers.MEASURES]
    mine = words.starts(circuit)[1][0][4:]
    assert rows[0] == ["w", "5 x 7", "3.0", "0.5", *mine, *own]
    assert rows[1] == ["w", "3 x 3", "3.0", "0.5", *mine, "-", "-", "-"]
    assert rows[2] == ["w", "5 x 7", f"{first.ratio:.1f}", *["-"] * 5, *own]


def test_the_summary_has_a_part_for_every_input_and_reading(first):
    circuit = reading({})
    both = contents.Report(circuit.source, circuit, first, ("said",))
    text = words.summary([both])
    assert text.startswith("# w\n\n## As a recurrent network\n\n3 neurons")
    assert "\n\n## As a first layer\n\n5 x 7 weights" in text
    assert text.endswith("\n\n- said.\n")
    single = words.summary([alone(first)])
    assert single.startswith("# w\n\n5 x 7 weights")
    assert "## As" not in single + words.summary([contents.Report(circuit.source, circuit, None)])
    assert "Side by side" not in single
    several = words.summary([both, alone(first)])
    assert several.startswith("# Side by side\n\n| input | neurons | PR |")
    assert several.count("\n# w\n") == 2


@pytest.mark.parametrize(
    ("gap", "said"), [(0.0, "as much as"), (0.019, "as much as"), (0.021, "less"), (-0.021, "more")]
)
def test_two_standard_deviations_are_a_difference(first, gap, said):
    """Of the replicates and of the sampled tasks together: here 0.006 and 0.008."""
    mine = first.entries[0]

    def entry(name, replicate, mean, error):
        ka = replace(mine.expected.kernel_alignment, mean=mean, standard_error=error)
        expected = replace(mine.expected, kernel_alignment=ka)
        return first_layers.Entry(name, replicate, mine.ranks, expected)

    half = 0.006 / np.sqrt(2.0)
    entries = (
        entry("w", 0, 0.5 + gap, 0.008),
        entry("b", 0, 0.5 - half, None),
        entry("b", 1, 0.5 + half, None),
        entry("c", 0, 0.5 + gap, 0.008),
    )
    lines = words.first_layer(replace(first, entries=entries))
    line = next(x for x in lines if x.startswith("- Its kernel") and "with b" in x)
    assert line.startswith(f"- Its kernel moves {said}")
    assert f"(KA {0.5 + gap:.4f} against 0.5000 ± 0.0060)" in line
    assert "moves as much as with c (" in "\n".join(lines)
    assert "± is the standard deviation over" in "\n".join(lines)
    two = "\n".join(words.first_layer(replace(first, entries=entries[:3])))
    assert "± is the standard deviation over" not in two
