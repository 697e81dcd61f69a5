"""What reports leave behind: figures, tables, JSON and a summary in words."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from richlazy import names, writing
from richlazy.curves.figure import render
from richlazy.laziness import Measures
from richlazy.report.contents import Report
from richlazy.report.figure import draw, draw_side_by_side
from richlazy.report.first_layer import MEASURES, RANKS, SEED, FirstLayer, TimeCourse
from richlazy.report.recurrent import MEASURES as RECURRENT
from richlazy.report.recurrent import Recurrent
from richlazy.report.words import summary

__all__ = ["FILES", "names_in", "write"]

#: What a report of one input may consist of.
FILES = (
    "report.png",
    "report.svg",
    "recurrent_draws.csv",
    "recurrent_comparisons.csv",
    "starts.csv",
    "curve_rank.csv",
    "curve_alignment.csv",
    "time_course.csv",
    "report.json",
    "summary.md",
)
_NUMBER = re.compile(r"[1-9][0-9]*_")


def names_in(folder: str | os.PathLike[str], inputs: int = 0) -> set[str]:
    """Files of an older report in a folder, and those that one of so many inputs may write.

    >>> "2_report.png" in names_in("no such folder", 2), "2_report.png" in names_in("nowhere", 1)
    (True, False)
    """
    numbered = {f"{k}_{name}" for k in range(1, inputs + 1) for name in FILES if inputs > 1}
    with suppress(OSError):
        numbered |= {name for name in os.listdir(folder) if _NUMBER.sub("", name, 1) in FILES}
    return numbered | set(FILES)


def write(reports: Sequence[Report], folder: Path) -> list[Path]:
    """Write figures, tables, JSON and summary, all or none; returns the paths.

    Of several reports the files of each begin with its number, and a figure and a summary hold
    them side by side.
    """
    written: dict[str, bytes] = {}
    several = len(reports) > 1
    if several:
        written |= _pictures("report", draw_side_by_side(reports))
    for number, report in enumerate(reports, 1):
        start = f"{number}_" if several else ""
        written |= {start + name: data for name, data in _files(report).items()}
    records = [_json(report) for report in reports]
    record = records if several else records[0]
    written["report.json"] = (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()
    written["summary.md"] = summary(reports).encode()
    writing.write_folder(folder, written, names_in(folder))
    return [folder / name for name in written]


def _pictures(name: str, figure: Any) -> dict[str, bytes]:
    return {f"{name}.{kind}": render(figure, kind) for kind in ("png", "svg")}


def _files(report: Report) -> dict[str, bytes]:
    """Figure and tables of one report."""
    found = _pictures("report", draw(report))
    if report.recurrent is not None:
        found["recurrent_draws.csv"] = _draws_csv(report.recurrent).encode()
        found["recurrent_comparisons.csv"] = _comparisons_csv(report.recurrent).encode()
    if (first := report.first_layer) is not None:
        found["starts.csv"] = _starts_csv(first).encode()
        found["curve_rank.csv"] = first.by_rank.to_csv().encode()
        found["curve_alignment.csv"] = first.by_alignment.to_csv().encode()
        found["time_course.csv"] = _course_csv(first.course).encode()
    return found


def _draws_csv(found: Recurrent) -> str:
    lines = [",".join(["start", "draw", *RECURRENT])]
    for start in found.starts:
        for number, row in enumerate(zip(*start.draws.values(), strict=True)):
            cells = [_cell(None if value != value else value) for value in row]
            lines.append(",".join([names.csv_cell(start.name), str(number), *cells]))
    return "\n".join(lines) + "\n"


def _comparisons_csv(found: Recurrent) -> str:
    parts = ("mine", "theirs", "difference", "effect", "p", "adjusted")
    lines = [",".join(["control", "measure", *parts])]
    for one in found.comparisons:
        cells = [
            _cell(value if value == value else None) for value in map(one.__getattribute__, parts)
        ]
        lines.append(",".join([names.csv_cell(one.control), one.measure, *cells]))
    return "\n".join(lines) + "\n"


def _starts_csv(report: FirstLayer) -> str:
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
    source = report.source
    return {
        "name": names.plain(source.name),
        "version": version("richlazy"),
        "seed": SEED,
        "citation": source.citation,
        "read": None if source.read is None else source.read.to_dict(),
        "not_read": list(report.notes),
        **({} if report.first_layer is None else _first_layer_json(report.first_layer)),
        "recurrent": None if report.recurrent is None else _recurrent_json(report.recurrent),
    }


def _recurrent_json(found: Recurrent) -> dict[str, Any]:
    def number(value: float | None) -> float | None:
        return None if value is None or value != value else float(value)

    return {
        "neurons": found.units,
        **found.setting._asdict(),
        "gain": found.gain,
        "given_gain": found.given_gain,
        "notes": list(found.notes),
        "starts": [
            {
                "start": names.plain(start.name),
                "participation_ratio": start.participation_ratio,
                "gain": start.gain,
                "spectral_radius": start.radius,
                "method": start.method,
                "accuracy": start.accuracy,
                **{
                    m: {"mean": number(start.mean(m)), "sd": number(start.spread(m))}
                    for m in RECURRENT
                },
            }
            for start in found.starts
        ],
        "comparisons": [
            {
                "control": one.control,
                "measure": one.measure,
                "mine": number(one.mine),
                "theirs": number(one.theirs),
                "difference": number(one.difference),
                "effect": one.effect,
                "p": one.p,
                "p_adjusted": one.adjusted,
            }
            for one in found.comparisons
        ],
    }


def _first_layer_json(report: FirstLayer) -> dict[str, Any]:
    return {
        "hidden": report.hidden,
        "inputs": report.inputs,
        "norm": report.norm,
        "given_norm": report.given_norm,
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
