"""What `predict --data` reads: inputs and targets, the linear task in them, and what it misses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from richlazy.names import plain

if TYPE_CHECKING:
    from richlazy.sources.source import Source
    from richlazy.start.task import Task

__all__ = ["Data", "read"]

Array = NDArray[np.float64]

_CENTRED = 1e-6  # mean over root mean square: beyond it a mean is not rounding


@dataclass(frozen=True, eq=False)
class Data:
    """Inputs (samples, d) and targets (samples, m), with the names of their files."""

    inputs: Array
    targets: Array
    files: tuple[str, str]

    @cached_property
    def task(self) -> Task:
        """Their covariances, not centred: a linear network has no bias."""
        from richlazy.start.task import Task

        return Task.from_data(self.inputs, self.targets)

    @cached_property
    def explained(self) -> float:
        """R^2 = E |W* x|^2 / E |y|^2 of the least-squares map W*, without a bias.

        The rest of the targets no linear network learns: their part that is not linear in the
        inputs, and noise.
        """
        whitened = self.task.whitened  # |W* C^(1/2)|^2 = E |W* x|^2
        return min(float(np.sum(whitened**2) / np.mean(np.sum(self.targets**2, axis=1))), 1.0)

    @property
    def name(self) -> str:
        """Both files."""
        return " and ".join(map(plain, self.files))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user may want to know of the numbers."""
        said = []
        samples, d = self.inputs.shape
        having = [
            what
            for what, values in (("inputs", self.inputs), ("targets", self.targets))
            if np.any(
                np.abs(np.mean(values, axis=0)) > _CENTRED * np.sqrt(np.mean(values**2, axis=0))
            )
        ]
        if having:
            said.append(
                f"{' and '.join(having)} have means, which are part of the task as they are"
            )
        constant = int(np.count_nonzero(np.ptp(self.inputs, axis=0) == 0))
        if constant:
            said.append(f"inputs that never vary, as a bias does: {constant}")
        if samples <= d:
            said.append("no more samples than inputs, so that R^2 says little of new ones")
        return tuple(said)

    @property
    def sentence(self) -> str:
        """What the linear task explains, in one line."""
        white = "white" if self.task.white else "not white"
        parts = [
            f"{len(self.inputs)} samples, inputs {white}; a linear map explains R^2 = "
            f"{self.explained:.4g} of the targets (share of their mean square), and only that part "
            "is learned",
            *self.notes,
        ]
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints of it."""
        return {
            "files": [plain(name) for name in self.files],
            "samples": len(self.inputs),
            "white": self.task.white,
            "explained": self.explained,
            "notes": list(self.notes),
        }

    def check_weights(self, source: Source) -> None:
        """Refuse weights (hidden x inputs) that have another number of inputs.

        Raises
        ------
        ValueError
            Saying where they may lie on their side.
        """
        (hidden, inputs), d = source.values.shape, self.inputs.shape[1]
        if inputs == d:
            return
        turned = source.read is not None and source.read.transposed
        remedy = (
            f"; they lie on their side: {'leave --transpose out' if turned else 'add --transpose'}"
        )
        raise ValueError(
            f"{plain(source.name)} is {hidden} x {inputs} weights (hidden x inputs), and "
            f"{plain(self.files[0])} has {d} inputs{remedy if hidden == d else ''}"
        )


def read(inputs: str, targets: str) -> Data:
    """Data from two files, one sample a row; of one row or column, one input or output.

    Raises
    ------
    ValueError
        If the files do not hold finite numbers, their samples do not match or inputs do not vary.
    """
    from richlazy.sources.files import read_vector_or_matrix

    x, y = (read_vector_or_matrix(name, "--data") for name in (inputs, targets))
    x, y = (values[:, None] if values.ndim == 1 else values for values in (x, y))
    if len(x) != len(y):
        raise ValueError(
            f"--data needs a row a sample in both files; {plain(inputs)} has {len(x)}, "
            f"{plain(targets)} {len(y)}"
        )
    if not np.any(np.ptp(x, axis=0)):
        raise ValueError(f"--data: no input in {plain(inputs)} varies from sample to sample")
    return Data(x, y, (inputs, targets))
