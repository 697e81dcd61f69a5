"""What `predict` answers of recurrent networks, over random tasks, inputs and readouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from richlazy.cli.source import differs, gain_wanted
from richlazy.cli.tables import print_line, print_measures

if TYPE_CHECKING:
    from richlazy.recurrent.record import Expected
    from richlazy.sources.source import Source

__all__ = ["Answer", "answer"]


@dataclass(frozen=True)
class Answer:
    """Answer of the recurrent reading."""

    source: Source
    given_gain: float
    gain: float
    setting: dict[str, int]
    found: Expected

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints of it."""
        about = {"gain": self.gain, "given_gain": self.given_gain, **self.setting}
        return {"recurrent": {**about, "notes": list(self.source.notes), **self.found.to_dict()}}

    def show(self) -> None:
        """Print it."""
        size = ", ".join(f"{name} {value}" for name, value in self.setting.items())
        print_line(f"{self.source.name} as recurrent network ({size})")
        print_measures(self.found)
        told = ""
        if differs(self.gain, self.given_gain):
            told = f" (as given {self.given_gain:.6g}; --norm keep leaves it)"
        if self.source.read is not None:
            print_line(f"read: {self.source.read.description}")
        print_line(f"gain: {self.gain:.6g}{told}")
        for note in self.source.notes:
            print_line(f"note: {note}")


def answer(source: Source, text: str, given: dict[str, Any]) -> Answer:
    """Laziness of recurrent networks with these weights, or singular values."""
    from richlazy.recurrent.averages.expect import expect
    from richlazy.report.recurrent import Setting
    from richlazy.sources import source as sources

    asked = {name: given[name] for name in Setting._fields if given[name] is not None}
    setting = Setting()._replace(**asked)._asdict()
    units = source.values.shape[0]
    if source.is_spectrum:
        if given["units"] is None:
            raise ValueError("--units is needed with a spectrum: the number of neurons N")
        units = given["units"]
    elif given["units"] not in (None, units):
        raise ValueError(f"--units is {given['units']}, but the weights have {units} neurons")
    root = float(units) ** 0.5
    gain = gain_wanted(source, text, given["norm"], given["gain"], units)
    mine = sources.rescaled(source, gain * root)
    found = expect(
        mine.values,
        **setting,
        units=units,
        strength=1.0 if given["strength"] is None else given["strength"],
        t=given["t"],
    )
    return Answer(mine, source.norm / root, mine.norm / root, setting, found)
