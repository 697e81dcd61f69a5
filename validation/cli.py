"""The commands. Only click is imported before a study is asked for."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from validation import STUDIES, load

__all__ = ["cli"]


class _Refused(click.ClickException):
    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Gradient descent held against the theory, study by study."""


@cli.command()
@click.argument("study", type=click.Choice([*STUDIES, "all"]))
@click.option("--quick", is_flag=True, help="A small grid, for a look in seconds.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("validation-results"),
    show_default=True,
    help="Results go to a folder of the study's name in here.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--force", is_flag=True, help="Replace the results of an earlier run.")
def run(study: str, quick: bool, out: Path, seed: int, force: bool) -> None:
    """Run STUDY, or all of them: table, verdict and figure.

    The exit status is 0 if every verdict is a pass, 1 if one is not and 2 for wrong usage.
    """
    from richlazy.errors import FileError
    from richlazy.files import output_folder

    names = STUDIES if study == "all" else (study,)
    try:
        folders = [output_folder(out / name, force) for name in names]
        passed = [
            _run_one(name, folder, quick, seed) for name, folder in zip(names, folders, strict=True)
        ]
    except FileError as error:
        raise _Refused(str(error)) from None
    if not all(passed):
        raise SystemExit(1)


def _run_one(name: str, folder: Path, quick: bool, seed: int) -> bool:
    from rich.console import Console
    from rich.progress import track

    from validation.study import save, table

    study, console, stderr = load(name), Console(), Console(stderr=True)
    click.echo(f"{study.question}\n")
    bar = {"console": stderr, "transient": True, "disable": not stderr.is_terminal}
    result = study.run(quick, seed, lambda cases: track(cases, name, **bar))
    command = ["python", "-m", "validation", "run", name, *["--quick"] * quick, f"--seed={seed}"]
    save(study, result, folder, command=shlex.join(command), quick=quick, seed=seed)
    console.print(table(result))
    click.echo(f"{name}: {result.verdict}; table, numbers and figure in {folder}")
    return result.passed


@cli.command()
@click.argument("names", nargs=-1)
def bench(names: tuple[str, ...]) -> None:
    """Measure promised times and accuracies, NAMES or all; not part of the tests."""
    from rich.console import Console
    from rich.table import Table

    from validation.benchmarks import BENCHMARKS, measure

    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise _Refused(f"unknown benchmark {unknown[0]!r}; the known ones: {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        shown = Table(box=None, pad_edge=False, title=name, title_justify="left", show_header=False)
        for figure in measure(name):
            limit = "" if figure.limit is None else f"(at most {figure.limit:g})"
            shown.add_row(figure.name, f"{figure.value:.4g} {figure.unit}", limit)
        Console(highlight=False).print(shown)
