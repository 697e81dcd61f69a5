"""A training run, measured as it goes: snapshots in, columns of measures out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import laziness, similarity, writing
from richlazy.curves.axes import Axis
from richlazy.curves.curve import Curve
from richlazy.curves.record import provenance
from richlazy.errors import FileError, UndefinedError, positive, real_array
from richlazy.runs.arrays import Floats, as_numpy, named
from richlazy.summary import summary

__all__ = ["Recording", "Snapshot"]

Array = NDArray[np.float64]

_FORMAT = 1
_KINDS = ("weights", "activations", "kernel")
_SUFFIX = ".npz"


class Snapshot(NamedTuple):
    """What was recorded at one step; empty or None what was not.

    Attributes
    ----------
    step : float
        Updates of the weights before it.
    weights : dict
        Arrays by name.
    activations : dict
        Arrays by name.
    kernel : ndarray or None
        Tangent kernel on the probes.
    """

    step: float
    weights: dict[str, Floats]
    activations: dict[str, Floats]
    kernel: Floats | None


class Recording:
    """What `Run` keeps of a training, and its measures."""

    def __init__(
        self,
        learning_rate: float | None = None,
        *,
        targets: ArrayLike | None = None,
        keep: Literal["ends", "all"] = "ends",
    ) -> None:
        self.learning_rate = None
        if learning_rate is not None:
            self.learning_rate = float(positive(learning_rate, "learning_rate", ndim=0))
        self.targets = None if targets is None else real_array(targets, "targets", ndim=(1, 2))
        if keep not in ("ends", "all"):
            raise ValueError(f"keep must be 'ends' or 'all'; it is {keep!r}")
        self.keep = keep
        self.snapshots: list[Snapshot] = []
        self._rows: list[dict[str, float]] = []
        self._samples: str | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def start(self) -> Snapshot:
        """The first snapshot."""
        return self._snapshot(0)

    @property
    def latest(self) -> Snapshot:
        """The last one."""
        return self._snapshot(-1)

    def _snapshot(self, place: int) -> Snapshot:
        if not self.snapshots:
            raise ValueError("nothing has been recorded: call record first")
        return self.snapshots[place]

    def record(
        self,
        step: float,
        *,
        weights: Any = None,
        activations: Any = None,
        kernel: Any = None,
        loss: float | None = None,
        samples: ArrayLike | None = None,
        **measured: float,
    ) -> None:
        """Take a snapshot into the run.

        Parameters
        ----------
        step
            Updates of the weights so far, above that of every snapshot before.
        weights
            An array, or a nest of dicts and lists of arrays (a `state_dict`, a pytree), of any
            library.
        activations
            Of the same samples in the same order every time, (samples, units) each.
        kernel
            Tangent kernel on these samples, symmetric.
        loss
            A number.
        samples
            Names or numbers of the samples; where they are given every time, another order is
            refused.
        measured
            Further numbers of this step, columns of their own.

        Raises
        ------
        ValueError
            If something has another shape than before, is not finite or was never there, naming
            it. The run is then as it was.
        """
        now = self._checked(step, weights, activations, kernel)
        label = _label(samples)
        if self._rows and label is not None and self._samples not in (None, label):
            raise ValueError(
                "samples differ from those recorded before, in order or number: activations and "
                "kernels can be compared over the same samples only"
            )
        row = {"step": now.step} | self._row(now)
        if loss is not None:
            row["loss"] = float(real_array(loss, "loss", ndim=0))
        for name, value in measured.items():
            if not name.isidentifier() or name in row:
                raise ValueError(f"a measure cannot be called {name!r} here; choose another name")
            row[name] = float(real_array(value, name, ndim=0))
        self._rows.append(row)
        self._samples = self._samples or label
        if self.keep == "ends" and len(self.snapshots) > 1:
            self.snapshots[-1] = now
        else:
            self.snapshots.append(now)

    def _checked(self, step: float, weights: Any, activations: Any, kernel: Any) -> Snapshot:
        """A snapshot that fits those before."""
        at = float(real_array(step, "step", ndim=0))
        if self._rows and at <= self._rows[-1]["step"]:
            raise ValueError(f"steps must rise: {at:g} comes after {self._rows[-1]['step']:g}")
        now = Snapshot(
            at,
            {} if weights is None else named(weights, "weights"),
            {} if activations is None else named(activations, "activations"),
            None if kernel is None else as_numpy(kernel, "kernel"),
        )
        if not (now.weights or now.activations or now.kernel is not None):
            raise ValueError("record needs weights, activations or a kernel")
        for name, values in now.activations.items():
            if values.ndim != 2:
                raise ValueError(
                    f"activations {name!r} must be (samples, units); the shape is {values.shape}: "
                    "flatten what else there is"
                )
        if now.kernel is not None and (now.kernel.ndim != 2 or len(set(now.kernel.shape)) != 1):
            raise ValueError(f"kernel must be square; its shape is {now.kernel.shape}")
        if self.snapshots:
            for kind in _KINDS:
                _same(kind, getattr(self.start, kind), getattr(now, kind))
        return now

    def _row(self, now: Snapshot) -> dict[str, float]:
        """Measures between the start and now; those of the way from the snapshot before."""
        first = self.snapshots[0] if self.snapshots else now
        before = self.snapshots[-1] if self.snapshots else now
        row: dict[str, float] = {}
        if now.weights:
            row |= _weights_row(first.weights, now.weights)
            walked = _moved(before.weights, now.weights)
            row["path_length"] = (self._rows[-1]["path_length"] if self._rows else 0.0) + walked
        for name, values in now.activations.items():
            begun = first.activations[name]
            ends = "" if len(now.activations) == 1 else f"_{_word(name)}"
            row["representation_alignment" + ends] = _defined(
                laziness.representation_alignment, begun, values
            )
            row["cka" + ends] = _defined(similarity.cka, begun, values)
            row["sign_similarity" + ends] = laziness.sign_similarity(begun, values)
        if now.kernel is not None:
            assert first.kernel is not None
            row["kernel_alignment"] = _defined(laziness.kernel_alignment, first.kernel, now.kernel)
            row["kernel_distance"] = _defined(similarity.kernel_distance, first.kernel, now.kernel)
            assert before.kernel is not None
            taken = now.step - before.step
            moved = _defined(similarity.kernel_distance, before.kernel, now.kernel)
            row["kernel_speed"] = moved / taken if taken else np.nan
            if self.targets is not None:
                row["target_alignment"] = _defined(
                    similarity.target_alignment, now.kernel, self.targets
                )
        return row

    def measures(self) -> dict[str, Array]:
        """Columns by name, one value for each snapshot; NaN what was undefined or not recorded.

        step, time (where there is a learning rate); weight_change and relative_weight_change of all
        layers together and of each, path_length; representation_alignment, cka and sign_similarity
        (of each array of activations, if there are several); kernel_alignment, kernel_distance,
        kernel_speed (per step) and target_alignment; loss, and what else was recorded.
        """
        names = dict.fromkeys(name for row in self._rows for name in row)
        columns = {
            name: np.array([row.get(name, np.nan) for row in self._rows], dtype=np.float64)
            for name in names
        }
        if self.learning_rate is not None and columns:
            step = columns.pop("step")
            columns = {"step": step, "time": self.learning_rate * step, **columns}
        return columns

    def __getitem__(self, name: str) -> Array:
        """A column of `measures`."""
        columns = self.measures()
        if name not in columns:
            raise KeyError(f"no column {name!r}; there are {', '.join(columns)}")
        return columns[name]

    def curve(self, *measures: str) -> Curve:
        """Columns along time, or along steps where there is no learning rate.

        All columns if none is named.
        """
        columns = self.measures()
        axis: Axis = "updates" if self.learning_rate is None else "time"
        x = columns["step" if axis == "updates" else "time"]
        chosen = measures or [name for name in columns if name not in ("step", "time")]
        given = {} if self.learning_rate is None else {"learning_rate": self.learning_rate}
        known = provenance("measured", "a training run", given)
        return Curve(axis, x, {name: self[name] for name in chosen}, known)

    def to_frame(self) -> Any:
        """The columns as a pandas DataFrame."""
        try:
            import pandas  # type: ignore[import-untyped]
        except ImportError:
            raise ImportError("to_frame needs pandas: pip install pandas") from None
        return pandas.DataFrame(self.measures())

    def change_rank(self) -> dict[str, similarity.ChangeRank]:
        """Effective ranks of what training has added to each matrix so far, by name.

        Those that have not moved are left out.
        """
        found = {}
        for name, last in self.latest.weights.items():
            first = self.start.weights[name]
            if last.ndim == 2 and not np.array_equal(first, last):
                found[name] = similarity.change_rank(first, last)
        return found

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write all there is to one `.npz`: arrays, and a JSON text beside them.

        It reads back with `load` and goes on from there; NumPy alone reads it too. An existing
        file is an error without `force`.
        """
        place = writing.output_file(_with_suffix(path), force)
        arrays: dict[str, NDArray[Any]] = {
            f"column/{name}": values for name, values in self.measures().items() if name != "time"
        }
        for number, snapshot in enumerate(self.snapshots):
            for kind in ("weights", "activations"):
                for name, values in getattr(snapshot, kind).items():
                    arrays[f"{number}/{kind}/{name}"] = values
            if snapshot.kernel is not None:
                arrays[f"{number}/kernel"] = snapshot.kernel
        if self.targets is not None:
            arrays["targets"] = self.targets
        about = {
            "richlazy_run": _FORMAT,
            "learning_rate": self.learning_rate,
            "keep": self.keep,
            "samples": self._samples,
            "steps": [snapshot.step for snapshot in self.snapshots],
        }
        data = BytesIO()
        np.savez_compressed(data, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
        writing.write_bytes(place, data.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """A run that `save` wrote, ready to be gone on with.

        Raises
        ------
        FileError
            If the file is missing or no such run.
        """
        place = Path(path) if Path(path).exists() else _with_suffix(path)
        try:
            with np.load(place, allow_pickle=False) as stored:
                return cls._restored(stored)
        except FileNotFoundError:
            raise FileError(f"{place}: there is no such file") from None
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise FileError(f"{place}: not a run of richlazy: {error}") from None

    @classmethod
    def _restored(cls, stored: Mapping[str, Any]) -> Self:
        about = json.loads(str(stored["about"]))
        if about["richlazy_run"] != _FORMAT:
            raise ValueError(f"its format is {about['richlazy_run']}, not {_FORMAT}")
        run = cls(about["learning_rate"], targets=stored.get("targets"), keep=about["keep"])
        columns = {
            key.removeprefix("column/"): stored[key] for key in stored if key.startswith("column/")
        }
        for place in range(len(columns["step"]) if columns else 0):
            row = {name: float(values[place]) for name, values in columns.items()}
            run._rows.append({name: value for name, value in row.items() if not np.isnan(value)})
        run.snapshots = [
            _stored(stored, number, step) for number, step in enumerate(about["steps"])
        ]
        run._samples = about["samples"]
        return run

    def __repr__(self) -> str:
        if not self._rows:
            return summary(self, snapshots=0)
        last = {
            name: self._rows[-1][name]
            for name in ("relative_weight_change", "representation_alignment", "kernel_alignment")
            if name in self._rows[-1]
        }
        return summary(self, snapshots=len(self), step=self._rows[-1]["step"], **last)


def _stored(stored: Mapping[str, Any], number: int, step: float) -> Snapshot:
    def of(kind: str) -> dict[str, Floats]:
        head = f"{number}/{kind}/"
        return {key.removeprefix(head): stored[key] for key in stored if key.startswith(head)}

    key = f"{number}/kernel"
    return Snapshot(step, of("weights"), of("activations"), stored.get(key))


def _with_suffix(path: str | os.PathLike[str]) -> Path:
    place = Path(path)
    return place if place.suffix == _SUFFIX else place.with_name(place.name + _SUFFIX)


def _label(samples: ArrayLike | None) -> str | None:
    """What tells one list of samples from another."""
    if samples is None:
        return None
    return json.dumps(np.asarray(samples).astype(str).ravel().tolist())


def _same(kind: str, before: Any, now: Any) -> None:
    """ValueError unless what is recorded now has the names and shapes of the start."""
    if isinstance(before, dict):
        missing = [name for name in before if name not in now]
        added = [name for name in now if name not in before]
        if missing or added:
            which = f"{missing[0]!r} is missing" if missing else f"{added[0]!r} was not there"
            raise ValueError(f"{kind} must be those of the start: {which}")
        for name, values in now.items():
            if values.shape != before[name].shape:
                what = (
                    "number of samples"
                    if kind == "activations" and (len(values) != len(before[name]))
                    else "shape"
                )
                raise ValueError(
                    f"{kind} {name!r} changed {what}: {before[name].shape} at the start, "
                    f"{values.shape} now"
                )
    elif (before is None) != (now is None):
        raise ValueError(f"{kind} must be recorded every time or never, from the start on")
    elif before is not None and before.shape != now.shape:
        raise ValueError(f"{kind} changed shape: {before.shape} at the start, {now.shape} now")


def _weights_row(first: dict[str, Floats], now: dict[str, Floats]) -> dict[str, float]:
    row = {"weight_change": _moved(first, now)}
    row["relative_weight_change"] = _defined(
        laziness.relative_weight_change, list(first.values()), list(now.values())
    )
    if len(now) > 1:
        for name, values in now.items():
            change = _moved({name: first[name]}, {name: values})
            row[f"weight_change_{_word(name)}"] = change
    return row


def _moved(first: dict[str, Floats], now: dict[str, Floats]) -> float:
    return laziness.weight_change(list(first.values()), list(now.values()))


def _word(name: str) -> str:
    """A name as the end of that of a column."""
    return "".join(c if c.isalnum() else "_" for c in name)


def _defined(measure: Any, *arguments: Any) -> float:
    """A measure, NaN where it is 0/0."""
    try:
        return float(measure(*arguments))
    except UndefinedError:
        return np.nan
