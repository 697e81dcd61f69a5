"""Closed forms and reductions against the gradient flow itself, small enough for a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TOLERANCE", "Check", "run"]

#: Largest deviation of a measure, on the scale that it has along the flow.
TOLERANCE = 1e-8

_MEASURES = ("kernel_alignment", "representation_alignment", "weight_change", "loss")


class Check(NamedTuple):
    """What one formula gave beside the flow."""

    id: str  #: T-id of the formula
    compared: str
    deviation: float | None  #: None where it came to none
    error: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the deviation is known and within `TOLERANCE`."""
        return self.deviation is not None and self.deviation <= TOLERANCE


def run() -> Iterator[Check]:
    """Yield one check after the other; what one of them raises is its answer.

    Examples
    --------
    >>> all(check.passed for check in run())
    True
    """
    for id, compared, deviation in _CHECKS:
        try:
            found = deviation()
        except Exception as error:  # of a broken installation, anything
            yield Check(id, compared, None, f"{type(error).__name__}: {error}")
        else:
            yield Check(id, compared, found if found == found else None)


def _between(one: Any, other: Any, times: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0)) -> float:
    """Largest deviation of two solutions, each measure relative to its largest value."""
    import numpy as np

    pairs = ((getattr(one, name)(times), getattr(other, name)(times)) for name in _MEASURES)
    return max(float(np.max(np.abs(x - y)) / np.max(np.abs(y))) for x, y in pairs)


def _two_layers(method: str, network: Any, task: Any) -> float:
    from richlazy.two_layer.solve import solve

    return _between(solve(network, task, method=method), solve(network, task, method="flow"))  # type: ignore[arg-type]


def _modes() -> float:
    """A start that shares its modes with the task, none of them balanced."""
    import numpy as np

    from richlazy.start.network import Network
    from richlazy.start.task import Task

    left, _, right = np.linalg.svd(_normal(3, 5), full_matrices=False)
    start = Network(np.diag([0.5, 0.8, 0.2]) @ right, left @ np.diag([0.3, -0.1, 0.7]))
    return _two_layers("modes", start, Task(left @ np.diag([2.0, 1.0, 0.5]) @ right))


def _riccati() -> float:
    """Two outputs, a silent readout, and a first layer that is a multiple of a rotation."""
    import numpy as np

    from richlazy.start.network import Network
    from richlazy.start.task import Task

    start = Network(0.8 * np.linalg.qr(_normal(4, 4))[0], np.zeros((2, 4)))
    return _two_layers("riccati", start, Task(_normal(2, 4)))


def _flat() -> float:
    """A flat start of rank 3 with 30 % of the task in its row space."""
    from richlazy.start import spectrum
    from richlazy.start.network import Network
    from richlazy.start.task import Task

    task = Task.random(10, 1, rng=1)
    values = spectrum.flat(rank=3, norm=1.0)
    start = Network.from_spectrum(values, task=task, hidden=6, alignment=0.3, rng=2)
    return _two_layers("closed form", start, task)


def _average() -> float:
    """Final KA of rank 2 of 4 inputs, whose alignment is uniform from 0 to 1, by quadrature."""
    import numpy as np

    from richlazy.averages.expect import expect
    from richlazy.start import spectrum
    from richlazy.start.network import Network
    from richlazy.start.task import Task
    from richlazy.two_layer.solve import solve

    values, task = spectrum.flat(rank=2, norm=1.0), Task.random(4, 1, rng=1)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    final = [
        float(solve(start, task, method="flow").kernel_alignment(np.inf))
        for start in (
            Network.from_spectrum(values, task=task, hidden=4, alignment=float(c), rng=2)
            for c in (nodes + 1) / 2
        )
    ]
    mean = float(weights @ final) / 2
    return abs(expect(values, inputs=4).kernel_alignment.mean - mean) / mean


def _krylov() -> float:
    """Weights without any structure."""
    from richlazy.start.network import Network
    from richlazy.start.task import Task

    return _two_layers("krylov", Network(_normal(20, 30) / 10), Task.random(30, 1, rng=1))


def _recurrent() -> float:
    """Twelve neurons whose weights have rank 1."""
    import numpy as np

    from richlazy.recurrent import Network, Task, solve

    weights = np.outer(*_normal(2, 12)) / 12
    network = Network.random(weights, channels=1, outputs=1, rng=3)
    task = Task.random(steps=3, rng=4)
    return _between(solve(network, task, "reduced"), solve(network, task, "flow"))


def _normal(*shape: int) -> NDArray[np.float64]:
    import numpy as np

    return np.random.default_rng(0).standard_normal(shape)


_CHECKS: tuple[tuple[str, str, Callable[[], float]], ...] = (
    ("T3", "closed form of the modes", _modes),
    ("T5", "matrix Riccati solution", _riccati),
    ("T6", "closed form of flat low rank", _flat),
    ("T7", "its average over random tasks", _average),
    ("T15", "Krylov reduction", _krylov),
    ("T18", "reduced recurrent network", _recurrent),
)
