"""`richlazy measure`: how lazy a training of yours was, from what you saved before and after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from richlazy import names
from richlazy.cli.tables import number, print_line, print_table

if TYPE_CHECKING:
    from richlazy.sources.layers import Layer

__all__ = ["measure"]

_T = TypeVar("_T")
_Files = tuple[str, str]

_WEIGHTS = {
    "weight_change": "||dW||",
    "relative_weight_change": "relative",
    "participation_rank": "rank of dW (PR)",
    "numerical_rank": "rank (numerical)",
}
_ACTIVATIONS = {
    "representation_alignment": "RA",
    "cka": "CKA (debiased)",
    "cka_standard_error": "standard error",
    "sign_similarity": "signs kept",
}
_KERNELS = {"kernel_alignment": "KA", "kernel_distance": "distance 1 - KA"}


@click.command()
@click.argument("before")
@click.argument("after")
@click.option(
    "--activations",
    nargs=2,
    metavar="BEFORE AFTER",
    help="Activations of the same samples, samples x features.",
)
@click.option("--kernel", nargs=2, metavar="BEFORE AFTER", help="Kernels over the same samples.")
@click.option("--limit", type=float, metavar="GB", help="Memory a file may take.  [4]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def measure(
    before: str,
    after: str,
    activations: _Files | None,
    kernel: _Files | None,
    limit: float | None,
    as_json: bool,
) -> None:
    """Laziness of a training of yours: weights, activations and kernels before and after it.

    BEFORE and AFTER are files of weights: .npz or .safetensors with a named array for each layer,
    .npy with one matrix (FILE:NAME is one array of several). Layers are paired by their names, and
    so are those of activations and kernels.
    """
    from rich.console import Console

    found: dict[str, Any] = {"before": names.plain(before), "after": names.plain(after)}
    with Console(stderr=True).status("computing"):  # seen on a terminal only
        pairs, notes = _pairs((before, after), limit)
        found["weights"] = _weights(pairs)
        for about, files, measures in (
            ("activations", activations, _of_activations),
            ("kernel", kernel, _of_kernels),
        ):
            if files is not None:
                pairs, more = _pairs(files, limit)
                found[about] = {name: _told(name, measures, *pair) for name, pair in pairs.items()}
                notes += more
    found["notes"] = notes
    if as_json:
        import json

        click.echo(json.dumps(found, indent=1, allow_nan=False))
    else:
        _show(found)


def _pairs(files: _Files, limit: float | None) -> tuple[dict[str, tuple[Layer, Layer]], list[str]]:
    """The layers of two files by their names, in the order of the first, and what was left out."""
    from richlazy.sources import layers
    from richlazy.sources.content import LIMIT, short

    first, last = (layers.read(file, limit=LIMIT if limit is None else limit) for file in files)
    for file, mine, other in ((files[0], first, last), (files[1], last, first)):
        for name in mine.arrays:
            if name not in other.arrays:
                raise ValueError(f"layer {short(name)} is in {file} alone")
    counters = sorted({*first.counters, *last.counters})
    notes = [f"left out as counters: {', '.join(map(short, counters))}"] if counters else []
    return {name: (layer, last.arrays[name]) for name, layer in first.arrays.items()}, notes


def _weights(pairs: dict[str, tuple[Layer, Layer]]) -> dict[str, Any]:
    from richlazy.laziness import relative_weight_change, weight_change

    layers = {name: _told(name, _of_weights, *pair) for name, pair in pairs.items()}
    every = [[layer.values for layer in side] for side in zip(*pairs.values(), strict=True)]
    together = {
        "weight_change": weight_change(*every),
        "relative_weight_change": _or_none(relative_weight_change, *every),
    }
    return {"layers": layers, "all": together}


def _of_weights(before: Layer, after: Layer) -> dict[str, Any]:
    from richlazy.laziness import relative_weight_change, weight_change
    from richlazy.similarity import change_rank

    w0, wt = before.values, after.values
    change = weight_change(w0, wt)
    rank = None
    if w0.ndim == 2:
        rank = _or_none(change_rank, w0, wt, precision=max(before.unit, after.unit))
    return {
        "shape": list(w0.shape),
        "weight_change": change,
        "relative_weight_change": _or_none(relative_weight_change, w0, wt),
        "participation_rank": rank and rank.participation,
        "numerical_rank": rank and rank.numerical,
    }


def _of_activations(before: Layer, after: Layer) -> dict[str, Any]:
    from richlazy.laziness import representation_alignment, sign_similarity
    from richlazy.similarity import cka, cka_estimate

    h0, ht = before.values, after.values
    aligned = _or_none(representation_alignment, h0, ht)
    estimate = _or_none(cka_estimate, h0, ht)
    return {
        "shape": list(h0.shape),
        "representation_alignment": aligned,
        "cka": estimate.value if estimate else _or_none(cka, h0, ht, debiased=True),
        "cka_standard_error": estimate and estimate.standard_error,
        "sign_similarity": sign_similarity(h0, ht) if h0.shape == ht.shape else None,
    }


def _of_kernels(before: Layer, after: Layer) -> dict[str, Any]:
    from richlazy.laziness import kernel_alignment
    from richlazy.similarity import kernel_distance

    return {
        "shape": list(before.values.shape),
        "kernel_alignment": _or_none(kernel_alignment, before.values, after.values),
        "kernel_distance": _or_none(kernel_distance, before.values, after.values),
    }


def _or_none(measured: Callable[..., _T], *arrays: Any, **options: Any) -> _T | None:
    """A measure, None where it is 0/0."""
    from richlazy.errors import UndefinedError

    try:
        return measured(*arrays, **options)
    except UndefinedError:
        return None


def _told(name: str, measures: Callable[[Layer, Layer], _T], before: Layer, after: Layer) -> _T:
    """Measures of one layer; what is wrong with it is told with its name."""
    from richlazy.sources.content import short

    try:
        return measures(before, after)
    except ValueError as error:
        raise ValueError(f"layer {short(name)}: {error}") from None


def _show(found: dict[str, Any]) -> None:
    weights = found["weights"]
    together = ("all layers", {"shape": None, **weights["all"]})
    _table([*weights["layers"].items(), together], _WEIGHTS, "weights")
    for about, columns in (("activations", _ACTIVATIONS), ("kernel", _KERNELS)):
        if about in found:
            print_line("")
            _table(found[about].items(), columns, about)
    for note in found["notes"]:
        print_line(f"note: {note}")


def _table(rows: Iterable[tuple[str, Any]], columns: dict[str, str], about: str) -> None:
    print_table(
        (about, "shape", *columns.values()),
        (
            [name, _size(row["shape"]), *(number(row.get(one), one) for one in columns)]
            for name, row in rows
        ),
    )


def _size(shape: list[int] | None) -> str:
    return "" if shape is None else " x ".join(map(str, shape)) or "1"
