"""What a report says, in words (Markdown)."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from richlazy import names
from richlazy.report.comparison import Comparison
from richlazy.report.contents import Report
from richlazy.report.first_layer import MEASURES, REPLICATES, FirstLayer, shown, spread
from richlazy.report.recurrent import MEASURES as RECURRENT
from richlazy.report.recurrent import Recurrent

__all__ = ["first_layer", "recurrent", "side_by_side", "starts", "summary"]

_ROUNDING = 1e-9


def summary(reports: Sequence[Report]) -> str:
    """What the numbers say: of one input by itself, of several side by side first."""
    lines: list[str] = []
    if len(reports) > 1:
        lines += ["# Side by side", "", *_table(*side_by_side(reports)), ""]
    for report in reports:
        lines += [f"# {names.markdown(report.source.name)}", ""]
        both = report.recurrent is not None and report.first_layer is not None
        if report.recurrent is not None:
            lines += ["## As a recurrent network", ""] if both else []
            lines += [*recurrent(report.recurrent), ""]
        if report.first_layer is not None:
            lines += ["## As a first layer", ""] if both else []
            lines += [*first_layer(report.first_layer), ""]
        if report.notes:
            lines += [*(f"- {names.markdown(note)}." for note in report.notes), ""]
        if report.source.citation:
            lines += [f"Data: {names.markdown(report.source.citation)}", ""]
    return "\n".join(lines[:-1]) + "\n"


def side_by_side(reports: Sequence[Report]) -> tuple[list[str], list[list[str]]]:
    """Header and a row for every input."""
    header = ["input", "neurons", "PR", "spectral radius"]
    header += [f"{label}, recurrent" for label in RECURRENT.values()]
    header += [f"{label}, first layer" for label in MEASURES.values()]
    rows = []
    for report in reports:
        mine, first = report.recurrent, report.first_layer
        row = [report.source.name, " x ".join(map(str, report.shape))]
        if mine is not None:
            start = mine.starts[0]
            row += [f"{start.participation_ratio:.1f}", _radius(start.radius)]
            row += [shown(m, start.mean(m), start.spread(m)) for m in RECURRENT]
        else:
            assert first is not None
            row += [f"{first.ratio:.1f}", *["-"] * (1 + len(RECURRENT))]
        row += (
            ["-"] * len(MEASURES)
            if first is None
            else [shown(m, first.entries[0].mean(m)) for m in MEASURES]
        )
        rows.append(row)
    return header, rows


def recurrent(found: Recurrent) -> list[str]:
    """Lines on the recurrent reading."""
    mine, (steps, channels, outputs) = found.starts[0], found.setting
    ka, ra, change, inside = (shown(m, mine.mean(m), mine.spread(m)) for m in RECURRENT)
    radius = "" if mine.radius is None else f", spectral radius {mine.radius:.3g}"
    lines = [
        f"{found.units} neurons as W of a linear recurrent network at gain {found.gain:.4g} (as "
        f"given: {found.given_gain:.4g}){radius}; random tasks of strength 1 over {steps} steps, "
        f"{channels} in, {outputs} out, inputs and readout in random directions of norm 1, "
        "trained to the end.",
        "",
        f"Over {found.draws} draws KA = {ka}, RA = {ra}, the weight change is {change} and that of "
        f"W {inside} ({mine.method}; {mine.accuracy}).",
        "",
        *_table(*starts(found)),
        "",
        f"± is the standard deviation over {found.draws} draws of directions and task, the same "
        "for every start, a new control for each. Differences are tested pair by pair (t test), "
        f"adjusted for {len(found.comparisons)} comparisons (false discovery rate); an effect is "
        "the difference over its standard deviation."
        if found.comparisons
        else f"± is the standard deviation over {found.draws} draws of directions and task.",
        "",
    ]
    lines += [f"- {_sentence(found, start.name)}" for start in found.starts[1:]]
    return lines + [f"- {names.markdown(note.rstrip('.'))}." for note in found.notes]


def starts(found: Recurrent) -> tuple[list[str], list[list[str]]]:
    """Header and a row for the circuit and every control."""
    header = ["start", "PR", "gain", "spectral radius", *RECURRENT.values()]
    rows = [
        [start.name, f"{start.participation_ratio:.1f}", f"{start.gain:.3g}", _radius(start.radius),
         *(shown(m, start.mean(m), start.spread(m)) for m in RECURRENT)]
        for start in found.starts
    ]  # fmt: skip
    return header, rows


def _radius(radius: float | None) -> str:
    return "-" if radius is None else f"{radius:.3g}"


def _sentence(found: Recurrent, control: str) -> str:
    """Kernel and recurrent weights beside one control."""
    kernel = found.of(control, "kernel_alignment")
    weights = found.of(control, "weight_change_recurrent")
    name = names.markdown(control)
    if kernel.differs:
        more, word = ("more", "richer") if kernel.difference < 0 else ("less", "lazier")
        first = f"Its kernel moves {more} than with {name} ({_numbers(kernel)}): {word}"
    else:
        first = f"Its kernel moves as much as with {name} ({_numbers(kernel)})"
    more = "as much"
    if weights.differs:
        more = "more" if weights.difference > 0 else "less"
    return f"{first}; W moves {more} ({_numbers(weights)})."


def _numbers(one: Comparison) -> str:
    label = RECURRENT[one.measure]
    mine, theirs = (shown(one.measure, value) for value in (one.mine, one.theirs))
    return f"{label} {mine} against {theirs}, effect {one.effect:.2g}, p = {one.adjusted:.1g}"


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(map(names.markdown, header)) + " |", "|---" * len(header) + "|"]
    return lines + ["| " + " | ".join(map(names.markdown, row)) + " |" for row in rows]


def first_layer(report: FirstLayer) -> list[str]:
    """Lines on the first-layer reading, from its first sentence to its notes."""
    mine = report.entries[0]
    ka, ra, change = (shown(m, mine.mean(m)) for m in MEASURES)
    lines = [
        f"{report.hidden} x {report.inputs} weights at Frobenius norm {report.norm:.4g} "
        f"(as given: {report.given_norm:.4g}), silent readout, random tasks of strength 1, "
        "trained to the end.",
        "",
        f"The participation ratio is {report.ratio:.1f} of {min(report.hidden, report.inputs)}. "
        f"Over random tasks KA = {ka}, RA = {ra} and the weight change is {change} "
        f"({mine.expected.method}; {mine.expected.accuracy}).",
        "",
        f"Verdict: {report.verdict.sentence}.",
        "",
        "| start | participation ratio | KA | RA | weight change |",
        "|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(map(names.markdown, row)) + " |" for row in report.table()]
    if len(report.starts) > 2:
        lines += ["", f"± is the standard deviation over {REPLICATES} replicates."]
    lines += [
        "",
        "A kernel moves as much as another where the two KA differ by at most two standard "
        "deviations, of the replicates and of the sampled tasks together:",
        "",
    ]
    for name in report.starts[1:]:
        mean, sd = spread(report.group(name), "kernel_alignment")
        gap = mine.mean("kernel_alignment") - mean
        noise = hypot(sd or 0.0, mine.expected.kernel_alignment.standard_error or 0.0)
        compared = f"(KA {ka} against {shown('kernel_alignment', mean, sd)})"
        if abs(gap) <= 2.0 * noise + _ROUNDING:
            lines.append(f"- Its kernel moves as much as with {names.markdown(name)} {compared}.")
        else:
            more, word = ("more", "richer") if gap < 0 else ("less", "lazier")
            what = names.markdown(name)
            lines.append(f"- Its kernel moves {more} than with {what} {compared}: {word}.")
    course = report.course
    if course.gap is not None:
        lines.append(
            f"- Plain gradient descent with step {course.step:.3g} follows the theory of one "
            f"random task ({course.method}) to {course.gap:.1e} in KA "
            "(the error of the finite step)."
        )
    lines += [f"- {names.markdown(note.rstrip('.'))}." for note in report.notes]
    return lines
