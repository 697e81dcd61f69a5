"""What a report leaves behind: figure, tables, JSON and a summary in words."""

from __future__ import annotations

import json
from importlib.metadata import version
from math import hypot
from pathlib import Path
from typing import Any

from richlazy import names, writing
from richlazy.curves.figure import render
from richlazy.laziness import Measures
from richlazy.report.contents import (
    MEASURES,
    RANKS,
    REPLICATES,
    SEED,
    Report,
    TimeCourse,
    shown,
    spread,
)
from richlazy.report.figure import draw

__all__ = ["FILES", "summary", "write"]

#: What a report consists of.
FILES = (
    "report.png",
    "report.svg",
    "starts.csv",
    "curve_rank.csv",
    "curve_alignment.csv",
    "time_course.csv",
    "report.json",
    "summary.md",
)

_ROUNDING = 1e-9


def summary(report: Report) -> str:
    """What the numbers say, in words (Markdown)."""
    mine = report.entries[0]
    ka, ra, change = (shown(m, mine.mean(m)) for m in MEASURES)
    lines = [
        f"# {names.markdown(report.source.name)}",
        "",
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
    if report.source.citation:
        lines += ["", f"Data: {names.markdown(report.source.citation)}"]
    return "\n".join(lines) + "\n"


def write(report: Report, folder: Path) -> list[Path]:
    """Write figure, tables, JSON and summary, all or none; returns the paths."""
    figure = draw(report)
    texts = (
        _starts_csv(report),
        report.by_rank.to_csv(),
        report.by_alignment.to_csv(),
        _course_csv(report.course),
        json.dumps(_json(report), indent=1, allow_nan=False) + "\n",
        summary(report),
    )
    pictures = (render(figure, "png"), render(figure, "svg"))
    contents = (*pictures, *(text.encode() for text in texts))
    written = dict(zip(FILES, contents, strict=True))
    writing.write_folder(folder, written)
    return [folder / name for name in written]


def _starts_csv(report: Report) -> str:
    header = ["start", "replicate", *(f"{kind}_rank" for kind in RANKS)]
    header += [f"{m}_{part}" for m in MEASURES for part in ("mean", "task_sd", "standard_error")]
    lines = [",".join([*header, "method"])]
    for entry in report.entries:
        cells = [names.csv_cell(entry.start), str(entry.replicate)]
        cells += [_cell(entry.ranks[k]) for k in RANKS]
        for measure in MEASURES:
            statistic = getattr(entry.expected, measure)
            cells += [_cell(v) for v in (statistic.mean, statistic.sd, statistic.standard_error)]
        lines.append(",".join([*cells, names.csv_cell(entry.expected.method)]))
    return "\n".join(lines) + "\n"


def _cell(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _course_csv(course: TimeCourse) -> str:
    lines = [",".join(["source", "time", *Measures._fields])]
    parts = [("theory", course.times, course.theory)]
    if course.descent is not None and course.descent_times is not None:
        parts.append(("gradient descent", course.descent_times, course.descent))
    for name, times, measures in parts:
        for row in zip(times, *measures, strict=True):
            lines.append(",".join([name, *(repr(float(v)) for v in row)]))
    return "\n".join(lines) + "\n"


def _json(report: Report) -> dict[str, Any]:
    return {
        "name": names.plain(report.source.name),
        "version": version("richlazy"),
        "seed": SEED,
        "hidden": report.hidden,
        "inputs": report.inputs,
        "norm": report.norm,
        "given_norm": report.given_norm,
        "citation": report.source.citation,
        "read": None if report.source.read is None else report.source.read.to_dict(),
        "notes": list(report.notes),
        "verdict": report.verdict.to_dict(),
        "singular_values": None
        if report.singular_values is None
        else [float(v) for v in report.singular_values],
        "starts": [
            {
                "start": names.plain(entry.start),
                "replicate": entry.replicate,
                "effective_ranks": entry.ranks,
                "method": entry.expected.method,
                "assumptions": list(entry.expected.assumptions),
                "accuracy": entry.expected.accuracy,
                **{
                    m: {
                        "mean": getattr(entry.expected, m).mean,
                        "task_sd": getattr(entry.expected, m).sd,
                        "standard_error": getattr(entry.expected, m).standard_error,
                    }
                    for m in MEASURES
                },
            }
            for entry in report.entries
        ],
        "time_course": {
            "method": report.course.method,
            "accuracy": report.course.accuracy,
            "descent_step": report.course.step,
            "descent_gap_in_kernel_alignment": report.course.gap,
        },
    }
