"""What `predict` answers of a first layer, on one task or averaged over tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from richlazy.cli.source import differs, norm_wanted, print_source
from richlazy.cli.tables import print_line, print_measures

if TYPE_CHECKING:
    from richlazy.averages.record import Expected
    from richlazy.averages.verdict import Verdict
    from richlazy.cli.data import Data
    from richlazy.laziness import Laziness
    from richlazy.sources.source import Source
    from richlazy.start.network import Network
    from richlazy.start.task import Task

__all__ = ["Answer", "answer"]


@dataclass(frozen=True)
class Answer:
    """Answer of the first-layer reading."""

    source: Source
    given_norm: float
    task: Task | None
    found: Expected | Laziness
    ranks: dict[str, float]
    alignment: list[float] | None
    said: Verdict
    notes: tuple[str, ...]
    data: Data | None = None

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints of it."""
        source = self.source
        about: dict[str, Any] = {
            "norm": source.norm,
            "given_norm": self.given_norm,
            "notes": list(self.notes),
            "effective_ranks": self.ranks,
        }
        if self.task is not None:
            about["task"] = {
                "outputs": self.task.outputs,
                "inputs": self.task.inputs,
                "strength": self.task.strength,
                "alignment": self.alignment,
            }
        if self.data is not None:
            about["data"] = self.data.to_dict()
        return {**about, "verdict": self.said.to_dict(), **self.found.to_dict()}

    def show(self) -> None:
        """Print it."""
        source, task = self.source, self.task
        if not source.is_spectrum:
            hidden, inputs = source.values.shape
            print_line(f"{source.name} as first layer ({hidden} x {inputs})")
        print_measures(self.found)
        print_line(f"verdict: {self.said.sentence}")
        ranks = ", ".join(f"{kind} {rank:.4g}" for kind, rank in self.ranks.items())
        print_line(f"effective ranks: {ranks}")
        if task is not None:
            shares = self.alignment
            words = "unknown" if shares is None else ", ".join(f"{c:.4g}" for c in shares)
            told = "as in its file" if self.data is None else f"of {self.data.name}"
            print_line(
                f"task: {task.outputs} x {task.inputs}, strength {task.strength:.6g} {told} "
                f"(not rescaled), alignment c {words}"
            )
        if self.data is not None:
            print_line(f"data: {self.data.sentence}")
        print_source(source, self.given_norm, self.notes)


def answer(source: Source, text: str, given: dict[str, Any]) -> Answer:
    """Laziness of two-layer networks with these weights, or singular values, and silent readout."""
    from richlazy.averages.expect import expect
    from richlazy.averages.verdict import verdict
    from richlazy.cli.data import read
    from richlazy.sources import source as sources
    from richlazy.start.network import Network

    given_norm = source.norm
    task_file, files = given["task_file"], given["data"]
    # data have units, and weights beside them too
    wanted = "keep" if files is not None and given["norm"] is None else given["norm"]
    source = sources.rescaled(source, norm_wanted(source, text, wanted))
    inputs, hidden, outputs = given["inputs"], given["hidden"], given["outputs"]
    strength = given["strength"]
    if task_file is not None or files is not None:
        option, what = ("task", "file is") if files is None else ("data", "data are")
        for name in ("alignment", "strength", "outputs"):
            if given[name] is not None:
                raise ValueError(f"--{name} and --{option} exclude each other: the {what} the task")
        if task_file is not None and files is not None:
            raise ValueError("--task and --data exclude each other: give one of them")
    if files is None and task_file is None and source.is_spectrum and inputs is None:
        raise ValueError("--inputs is needed with a spectrum: the number of input directions")
    _check_sizes(source, inputs, hidden)
    network = None if source.is_spectrum else Network(source.values, precision=source.precision)
    found: Expected | Laziness
    data = None if files is None else read(*files)
    task = _task(source, task_file, data, inputs)
    notes = source.notes
    if task is None:
        found = expect(
            source.values if network is None else network,
            inputs,
            outputs=1 if outputs is None else outputs,
            strength=1.0 if strength is None else strength,
            alignment=given["alignment"],
            t=given["t"],
            precision=source.precision if network is None else None,
        )
    else:
        found = _on_task(source, network, task, hidden, given["t"])
        if source.is_spectrum:
            notes = (*notes, "singular vectors drawn at random, seed 0")
    shape = _shape(source, hidden, inputs if task is None else task.inputs)
    ranks = _ranks(source, network)
    aligned = None if network is None or task is None else _alignment(network, task)
    said = verdict(
        found,
        participation_ratio=ranks["participation"],
        hidden=shape[0],
        inputs=shape[1],
        norm=source.norm,
        own_norm=given_norm if differs(source.norm, given_norm) and not source.family else None,
        outputs=task.outputs if task is not None else outputs or 1,
        strength=task.strength if task is not None else strength or 1.0,
        white=task is None or task.white,
    )
    return Answer(source, given_norm, task, found, ranks, aligned, said, notes, data)


def _shape(source: Source, hidden: int | None, inputs: int | None) -> tuple[int, int]:
    """Shape of W1; of a spectrum as asked for, with as many hidden units as inputs by default."""
    if not source.is_spectrum:
        rows, columns = source.values.shape
        return int(rows), int(columns)
    assert inputs is not None
    return inputs if hidden is None else hidden, inputs


def _ranks(source: Source, network: Network | None) -> dict[str, float]:
    """Effective ranks, those that need all singular values where these can be had."""
    import numpy as np

    from richlazy.start import matrices, spectrum

    values = source.values
    if network is None:
        known = values
    elif isinstance(network.first, np.ndarray) and not network.graded:
        known = network.kept_values  # which the averages have asked for already
    elif min(values.shape) <= matrices.DENSE_LIMIT:
        known = source.singular_values
    else:
        return {"participation": float(spectrum.participation_ratio(network.moments))}
    kinds: tuple[spectrum.Kind, ...] = ("participation", "stable", "entropy", "numerical")
    return {kind: float(spectrum.effective_rank(known, kind)) for kind in kinds}


def _alignment(network: Network, task: Task) -> list[float] | None:
    """Share of each squared task mode in the row space of the weights, where it can be had."""
    from richlazy.start import matrices

    if not matrices.has_factors(network.first):
        return None
    return [float(c) for c in network.alignment(task)]


def _check_sizes(source: Source, inputs: int | None, hidden: int | None) -> None:
    if source.is_spectrum:
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


def _task(
    source: Source, task_file: str | None, data: Data | None, inputs: int | None
) -> Task | None:
    """The one task that was given, None for random ones."""
    from richlazy.sources.files import read_vector_or_matrix
    from richlazy.start.task import Task

    if data is not None:
        task, what = data.task, "data have"
        if not source.is_spectrum:
            data.check_weights(source)
    elif task_file is not None:
        task, what = Task(read_vector_or_matrix(task_file, "--task")), "task has"
    else:
        return None
    if inputs is not None and inputs != task.inputs:
        raise ValueError(f"--inputs is {inputs}, but the {what} {task.inputs}")
    return task


def _on_task(
    source: Source, network: Network | None, task: Task, hidden: int | None, t: float
) -> Laziness:
    import numpy as np

    from richlazy.start.network import Network
    from richlazy.two_layer.solve import predict as predict_one

    if network is not None:
        return predict_one(network, task, t)
    size = np.count_nonzero(source.values) if hidden is None else hidden
    rng = np.random.default_rng(0)
    start = Network.from_spectrum(source.values, task=task, hidden=int(size), rng=rng)
    return predict_one(start, task, t)
