"""A start of the caller's own for curves and maps: found, checked with its options, and named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from richlazy.cli.source import gain_wanted, norm_wanted

if TYPE_CHECKING:
    from richlazy.sources.source import Source

__all__ = ["first_layer", "name_start", "recurrent_network", "with_number"]

#: Options of recurrent starts by the names that they have in the library, and of first layers.
_OF_RECURRENT = ("norm", "units", "gain", "steps", "channels", "outputs", "strength", "t")
_OF_LAYERS = ("inputs", "norm", "strength", "alignment", "outputs", "t")
#: Those of the averages, where a command has them.
_OF_CHANCE = ("tasks", "rng")


def first_layer(
    axes: Sequence[str], what: str, text: str, reading: dict[str, Any], options: dict[str, Any]
) -> tuple[Source, dict[str, Any]]:
    """The start as first layer, at the norm wanted, and what else the library takes of it."""
    from richlazy.curves.flat import PARAMETERS
    from richlazy.sources import source as sources

    known = ("alignment", "scale", "strength", "time")
    source = _found(axes, what, text, reading, options, known, PARAMETERS, _OF_LAYERS)
    if "scale" not in axes:
        source = sources.rescaled(source, norm_wanted(source, text, options.get("norm")))
    rest = {name: value for name, value in options.items() if name != "norm"}
    return source, {**rest, "precision": source.precision}


def recurrent_network(
    axes: Sequence[str], what: str, text: str, reading: dict[str, Any], options: dict[str, Any]
) -> tuple[Source, dict[str, Any]]:
    """The start as recurrent network, at the gain wanted, and what else the library takes of it."""
    from richlazy.curves.setting import KEYWORDS
    from richlazy.errors import integer
    from richlazy.report.recurrent import Setting
    from richlazy.sources import source as sources

    known = ("gain", "steps", "strength", "time")
    source = _found(axes, what, text, reading, options, known, KEYWORDS, _OF_RECURRENT)
    rest = dict(options)
    units = rest.pop("units", None)
    if source.is_spectrum and units is None:
        raise ValueError("--units is needed with a spectrum: the number of neurons N")
    n = int(source.values.shape[0] if units is None else integer(units, "--units"))
    norm, gain = rest.pop("norm", None), rest.pop("gain", None)
    if "gain" not in axes:
        source = sources.rescaled(source, gain_wanted(source, text, norm, gain, n) * n**0.5)
    if "steps" not in axes:
        rest["steps"] = integer(rest.get("steps", Setting().steps), "--steps")
    return source, {**rest, "units": n}


def _found(
    axes: Sequence[str],
    what: str,
    text: str,
    reading: dict[str, Any],
    options: dict[str, Any],
    known: Sequence[str],
    parameters: Mapping[str, str],
    of_start: Sequence[str],
) -> Source:
    """The start, once the options that go with it have been checked."""
    from richlazy.errors import times
    from richlazy.sources import source as sources

    for axis in axes:
        if axis not in known:
            raise ValueError(
                f"a {what} of a given start goes along {', '.join(known)}; it is {axis}"
            )
    own = {parameters[axis] for axis in axes}
    for name in options:
        option = {"t": "time", "rng": "seed"}.get(name, name)
        if name in own:
            which = "the" if what == "curve" else "an"
            raise ValueError(f"--{option} is {which} axis of this {what}; leave it out")
        if name not in (*of_start, *_OF_CHANCE):
            raise ValueError(f"--{option} has no meaning for a given start; leave it out")
    times(options.get("t", 0.0), "--time", ndim=0)
    return sources.find(text, **reading)


def with_number(reading: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options where no start is given: nothing to be read, and a norm that is a number."""
    for name, value in reading.items():
        if value not in (None, False):
            raise ValueError(f"--{name} is for a file; leave it out")
    if "norm" not in options:
        return options
    norm = options["norm"]
    try:
        return {**options, "norm": float(norm)}
    except ValueError:
        raise ValueError(
            f"--norm must be a number where no file is given; it is {norm!r}"
        ) from None


def name_start(source: Source, provenance: dict[str, Any]) -> None:
    """Let a provenance say first what the start is called."""
    from richlazy import names

    start = {"start": names.plain(source.name)}
    provenance["parameters"] = start | provenance["parameters"] | start
