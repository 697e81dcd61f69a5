"""`richlazy predict`: the laziness of one start, on one task or averaged over tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from richlazy import names
from richlazy.cli.source import differs, print_source, reading_options, source_at_norm
from richlazy.cli.tables import MEASURES, number, print_line, print_table

if TYPE_CHECKING:
    from richlazy.averages.record import Expected
    from richlazy.laziness import Laziness
    from richlazy.sources.source import Source
    from richlazy.start.task import Task

__all__ = ["predict"]


@click.command()
@click.argument("start", metavar="SPECTRUM-OR-WEIGHTS")
@click.option("--inputs", type=int, help="Number of inputs d (needed with a spectrum).")
@click.option("--hidden", type=int, help="Number of hidden units (at least the rank).")
@click.option(
    "--norm", metavar="NUMBER|keep", help="Frobenius norm of a file; 'keep' leaves it.  [1.0]"
)
@click.option("--task", "task_file", help="File with cov_yx (outputs x inputs), or one vector.")
@click.option("--alignment", type=float, help="Share of the squared task in the row space.")
@click.option("--strength", type=float, help="Length of the task vector.  [1.0]")
@click.option("--outputs", type=int, help="Number of outputs.  [1]")
@click.option("--time", "t", type=float, default=float("inf"), help="Learning rate x steps.  [inf]")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def predict(
    start: str,
    inputs: int | None,
    hidden: int | None,
    norm: str | None,
    task_file: str | None,
    alignment: float | None,
    strength: float | None,
    outputs: int | None,
    t: float,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Predicted laziness of a start with a silent readout.

    SPECTRUM-OR-WEIGHTS is a file (.npy .npz .csv .tsv .txt .mtx .mat .graphml .parquet
    .safetensors ..., or - for standard input: one row or column is a spectrum, a table is hidden x
    inputs, a header pre,post,weight makes an edge list; FILE:NAME is one array), a connectome
    (celegans, mushroom_body_left, mushroom_body_right) or a family: flat:rank=5,norm=1,
    power_law:count=100,exponent=1, exponential:count=50,rate=0.1, gaussian:hidden=50,inputs=80.
    """
    from rich.console import Console

    from richlazy.averages.expect import expect
    from richlazy.averages.verdict import verdict
    from richlazy.errors import times

    times(t, "--time", ndim=0)
    if task_file is not None:
        for name, value in (("alignment", alignment), ("strength", strength), ("outputs", outputs)):
            if value is not None:
                raise ValueError(f"--{name} and --task exclude each other: the file is the task")
    source, given = source_at_norm(start, norm, reading)
    _check_sizes(source, inputs, hidden, task_file)
    found: Expected | Laziness
    task: Task | None = None
    notes = list(source.notes)
    with Console(stderr=True).status("computing"):  # seen on a terminal only
        if task_file is None:
            found = expect(
                source.values,
                inputs,
                outputs=1 if outputs is None else outputs,
                strength=1.0 if strength is None else strength,
                alignment=alignment,
                t=t,
                precision=source.precision,
            )
        else:
            task = _task(task_file, inputs)
            found = _on_task(source, task, hidden, t)
            if source.is_spectrum:
                notes.append("singular vectors drawn at random, seed 0")
        shape = _shape(source, hidden, inputs if task is None else task.inputs)
        said = verdict(
            found,
            participation_ratio=_ranks(source)["participation"],
            hidden=shape[0],
            inputs=shape[1],
            norm=source.norm,
            own_norm=given if differs(source.norm, given) and not source.family else None,
            outputs=task.outputs if task is not None else outputs or 1,
            strength=task.strength if task is not None else strength or 1.0,
        )
    if as_json:
        import json

        about: dict[str, Any] = {
            "start": names.plain(source.name),
            "norm": source.norm,
            "given_norm": given,
            "notes": notes,
        }
        if source.read is not None:
            about["read"] = source.read.to_dict()
        about["effective_ranks"] = _ranks(source)
        if task is not None:
            about["task"] = {
                "outputs": task.outputs,
                "inputs": task.inputs,
                "strength": task.strength,
                "alignment": _alignment(source, task),
            }
        about["verdict"] = said.to_dict()
        click.echo(json.dumps({**about, **found.to_dict()}, indent=1, allow_nan=False))
    else:
        _show(found)
        print_line(f"verdict: {said.sentence}")
        ranks = ", ".join(f"{kind} {rank:.4g}" for kind, rank in _ranks(source).items())
        print_line(f"effective ranks: {ranks}")
        if task is not None:
            shares = _alignment(source, task)
            words = "unknown" if shares is None else ", ".join(f"{c:.4g}" for c in shares)
            print_line(
                f"task: {task.outputs} x {task.inputs}, strength {task.strength:.6g} as in its "
                f"file (not rescaled), alignment c {words}"
            )
        print_source(source, given, notes)


def _shape(source: Source, hidden: int | None, inputs: int | None) -> tuple[int, int]:
    """Shape of W1; of a spectrum as asked for, with as many hidden units as inputs by default."""
    if not source.is_spectrum:
        rows, columns = source.values.shape
        return int(rows), int(columns)
    assert inputs is not None
    return inputs if hidden is None else hidden, inputs


def _ranks(source: Source) -> dict[str, float]:
    """Effective ranks, those that need all singular values where these can be had."""
    from richlazy.start import matrices, spectrum

    values = source.values
    if source.is_spectrum:
        known = values
    elif min(values.shape) <= matrices.DENSE_LIMIT:
        known = source.singular_values
    else:
        return {"participation": float(spectrum.participation_ratio(values))}
    kinds: tuple[spectrum.Kind, ...] = ("participation", "stable", "entropy", "numerical")
    return {kind: float(spectrum.effective_rank(known, kind)) for kind in kinds}


def _alignment(source: Source, task: Task) -> list[float] | None:
    """Share of each squared task mode in the row space of the weights, where it can be had."""
    from richlazy.start import matrices
    from richlazy.start.network import Network

    if source.is_spectrum or not matrices.has_factors(source.values):
        return None
    return [float(c) for c in Network(source.values, precision=source.precision).alignment(task)]


def _check_sizes(
    source: Source, inputs: int | None, hidden: int | None, task_file: str | None
) -> None:
    if source.is_spectrum:
        if inputs is None and task_file is None:
            raise ValueError("--inputs is needed with a spectrum: the number of input directions")
        rank = int((source.values > 0).sum())
        if hidden is not None and hidden < rank:
            raise ValueError(f"--hidden must be at least the rank {rank}; it is {hidden}")
        return
    for name, wanted, size, what in (
        ("hidden", hidden, source.values.shape[0], "rows"),
        ("inputs", inputs, source.values.shape[1], "columns"),
    ):
        if wanted is not None and wanted != size:
            raise ValueError(f"--{name} is {wanted}, but the weights have {size} {what}")


def _task(task_file: str, inputs: int | None) -> Task:
    from richlazy.sources.files import read_vector_or_matrix
    from richlazy.start.task import Task

    task = Task(read_vector_or_matrix(task_file, "--task"))
    if inputs is not None and inputs != task.inputs:
        raise ValueError(f"--inputs is {inputs}, but the task has {task.inputs}")
    return task


def _on_task(source: Source, task: Task, hidden: int | None, t: float) -> Laziness:
    import numpy as np

    from richlazy.start.network import Network
    from richlazy.two_layer.solve import predict as predict_one

    if not source.is_spectrum:
        return predict_one(Network(source.values, precision=source.precision), task, t)
    size = np.count_nonzero(source.values) if hidden is None else hidden
    rng = np.random.default_rng(0)
    start = Network.from_spectrum(source.values, task=task, hidden=int(size), rng=rng)
    return predict_one(start, task, t)


def _show(found: Expected | Laziness) -> None:
    record = found.to_dict()
    averaged = any(isinstance(v, dict) for v in record.values())
    rows = []
    for name, label in MEASURES.items():
        value = record.get(name)
        if isinstance(value, dict):
            spread = [number(value[key]) for key in ("sd", "standard_error")]
            rows.append([label, number(value["mean"], name), *spread])
        elif name in record:
            rows.append([label, number(value, name)])
    columns = ("mean", "sd over tasks", "standard error") if averaged else ("value",)
    print_table(("measure", *columns), rows)
    print_line(f"method: {found.method}")
    print_line(f"accuracy: {found.accuracy}")
    print_line(f"assumptions: {'; '.join(found.assumptions)}")
