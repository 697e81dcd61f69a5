"""The commands. Only click is imported before a study is asked for."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from validation import RECURRENT, STUDIES, load

if TYPE_CHECKING:
    from validation.pools import Pool
    from validation.store import Store
    from validation.study import Result

__all__ = ["cli"]

_GROUPS = {"all": STUDIES, "rnn": RECURRENT}

_OUT = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("validation-results"),
    show_default=True,
    help="Results go to a folder of the study's name in here.",
)


class _Refused(click.ClickException):
    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Gradient descent held against the theory, study by study."""


@cli.command()
@click.argument("study", type=click.Choice([*STUDIES, *RECURRENT, *_GROUPS]))
@click.option("--quick", is_flag=True, help="A small grid, for a look in seconds.")
@_OUT
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--force", is_flag=True, help="Replace the results of an earlier run.")
@click.option("--resume", is_flag=True, help="Go on with an earlier run, from the cases it has.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [one for each core]")
@click.option("--scheduler", metavar="ADDRESS", help="Run on this dask scheduler (tcp://...).")
@click.option(
    "--cluster", type=click.Choice(["local"]), help="Run on a dask cluster of this machine."
)
def run(
    study: str,
    quick: bool,
    out: Path,
    seed: int,
    force: bool,
    resume: bool,
    jobs: int | None,
    scheduler: str | None,
    cluster: str | None,
) -> None:
    """Run STUDY: table, verdict and figure.

    "all" is every study but those of nonlinear recurrent networks, under an hour on two cores;
    "rnn" is every one of those, which take longer and need the extra rnn.

    The numbers are the same wherever the cases run. Every case is kept as it finishes: whatever
    stops a run, the same command with --resume completes it. The exit status is 0 if every
    verdict is a pass, 1 if one is not or a case failed, and 2 for wrong usage.
    """
    from richlazy.errors import FileError
    from validation.pools import DaskPool, LocalPool, PoolError
    from validation.store import Store

    for both, names in (
        (force and resume, "--force and --resume"),
        (scheduler and cluster, "--scheduler and --cluster"),
        (scheduler and jobs, "--scheduler and --jobs"),
    ):
        if both:
            raise _Refused(f"{names} exclude each other: give one of them")
    workers = jobs or _cores()
    stores: list[Store] = []
    try:
        studies = [load(name) for name in _GROUPS.get(study, (study,))]
        packages = list(dict.fromkeys(name for made in studies for name in made.packages))
        pool: Pool = LocalPool(workers)
        if scheduler or cluster:
            pool = DaskPool(scheduler, workers, packages)
        for made in studies:
            folder, cases = out / made.name, made.cases(quick, seed)
            stores.append(
                Store(folder, made, cases, quick=quick, seed=seed, resume=resume, force=force)
            )
        for store in stores:  # all of them, before anything is touched
            store.check()
        for store in stores:
            store.begin()
        passed = _run(stores, pool)
    except FileError as error:
        raise _Refused(str(error)) from None
    except PoolError as error:
        raise _Refused(f"{error}; finished cases are kept, --resume goes on from them") from None
    except KeyboardInterrupt:
        click.echo("interrupted; finished cases are kept, --resume goes on from them", err=True)
        raise SystemExit(130) from None
    finally:
        for store in stores:
            store.release()
    if not passed:
        raise SystemExit(1)


def _cores() -> int:
    """Those this process may use, where the system says."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run(stores: list[Store], pool: Pool) -> bool:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from validation.report import checks_table
    from validation.runner import run as run_all

    console, stderr = Console(highlight=False), Console(stderr=True)
    columns = TextColumn("cases"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    passed = True
    quiet = not stderr.is_terminal  # or an empty line would be left in a log
    with pool, Progress(*columns, console=stderr, transient=True, disable=quiet) as progress:
        missing = [(store, store.missing()) for store in stores]
        bar = progress.add_task("", total=sum(len(indices) for _, indices in missing))
        for store in run_all(missing, pool, lambda: progress.advance(bar)):
            command = _command(store)
            click.echo(f"{store.study.question}\n")
            result, verdict = _concluded(store, command)
            passed = passed and result is not None and result.passed
            if result is not None:
                console.print(checks_table(result.checks))
                for finding in result.findings:
                    click.echo(f"- {finding}")
            click.echo(f"{store.study.name}: {verdict}; in {store.folder}\n")
    return passed


def _concluded(store: Store, command: str) -> tuple[Result | None, str]:
    """What a study found, None where cases or the conclusion failed, and the verdict."""
    import traceback

    from richlazy.errors import FileError

    if store.failures():
        return None, store.give_up(command)
    try:
        result = store.conclude(command)
    except FileError:
        raise
    except Exception as error:  # the other studies go on
        return None, store.give_up(command, "".join(traceback.format_exception(error)))
    return result, result.verdict


def _command(store: Store) -> str:
    """What gives these numbers, however it was run."""
    command = ["python", "-m", "validation", "run", store.study.name]
    return shlex.join([*command, *["--quick"] * store.quick, f"--seed={store.seed}"])


@cli.command()
@click.argument("names", nargs=-1)
def bench(names: tuple[str, ...]) -> None:
    """Measure promised times and accuracies, NAMES or all; not part of the tests.

    Of all, those whose extra is not installed are left out. The exit status is 1 if one is not
    kept.
    """
    from rich.console import Console
    from rich.table import Table

    from validation.benchmarks import BENCHMARKS, measure

    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise _Refused(f"unknown benchmark {unknown[0]!r}; the known ones: {', '.join(BENCHMARKS)}")
    exceeded = False
    for name in names or BENCHMARKS:
        try:
            figures = measure(name)
        except ModuleNotFoundError as error:
            if names:
                raise
            click.echo(f"{name}: left out, {error}")
            continue
        shown = Table(box=None, pad_edge=False, title=name, title_justify="left", show_header=False)
        for figure in figures:
            limit, outcome = "", ""
            if figure.limit is not None:
                limit = f"(at most {figure.limit:g})"
                outcome = "" if figure.value <= figure.limit else "[bold red]EXCEEDED"
            exceeded = exceeded or bool(outcome)
            shown.add_row(figure.name, f"{figure.value:.4g} {figure.unit}", limit, outcome)
        Console(highlight=False).print(shown)
    if exceeded:
        raise SystemExit(1)


@cli.command()
@_OUT
def report(out: Path) -> None:
    """Write report.html, one page that needs nothing else, and report.md from finished studies."""
    from richlazy.errors import FileError
    from validation.report import write

    try:
        written, missing = write(out)
    except FileError as error:
        raise _Refused(str(error)) from None
    click.echo("wrote " + ", ".join(map(str, written)))
    if missing:
        click.echo(f"not run yet: {', '.join(missing)}")
