"""What trackers of every library have in common: what of a model is recorded, in what memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import UndefinedError, integer, positive, real_array
from richlazy.runs.kernels import Sketched, sketched_alignment, sketched_target_alignment
from richlazy.runs.run import Run

__all__ = ["DIRECTIONS", "MEMORY", "Outputs", "Plan", "Tracker", "Watched", "planned", "wanted"]

Array = NDArray[np.float64]

#: "trace": the kernel over samples, summed over outputs; "full": over samples and outputs, output
#: fastest; a number: that of one output.
Outputs: TypeAlias = Literal["trace", "full"] | int

#: Bytes that gradients and kernels may take.
MEMORY = 1e9
#: Of a sketch.
DIRECTIONS = 256
_KEPT = 3.0  # kernels: of the start, of the snapshot before and of now


class Watched(Protocol):
    """A model and its probes, in whatever library."""

    samples: int
    outputs: int
    gradient: int  #: bytes of one, of what needs gradients sample by sample

    def weights(self) -> dict[str, Any]:
        """Trained parameters by name."""

    def activations(self) -> dict[str, Any] | None:
        """Hidden activations on the probes, (samples, units) by name."""

    def kernel(self, plan: Plan) -> Array:
        """The tangent kernel."""

    def projected(self, plan: Plan) -> Array:
        """Products of the Jacobian with random directions, (directions, rows of the kernel)."""

    def along(self, targets: Array, plan: Plan) -> float:
        """||J' S||^2 for S of the shape that the kernel acts on."""


@dataclass(frozen=True)
class Plan:
    """How the kernel is found: exactly, or from `directions` random ones."""

    outputs: Outputs
    memory: float
    directions: int | None
    seed: int

    def rows(self, samples: int, outputs: int) -> int:
        """Side of the kernel."""
        return samples * outputs if self.outputs == "full" else samples

    def chosen(self, outputs: int) -> list[int]:
        """The outputs that count, of as many as there are."""
        return [self.outputs] if isinstance(self.outputs, int) else list(range(outputs))

    def as_rows(self, moved: Array) -> Array:
        """J v (samples, outputs) as the kernel has its rows, (outputs summed over, rows)."""
        if self.outputs == "full":
            return moved.reshape(1, -1)
        return moved.T if self.outputs == "trace" else moved.T[self.outputs][None]


def planned(
    model: Watched,
    outputs: Outputs,
    memory: float,
    directions: int | None,
    seed: int,
    *,
    exact: bool = False,
) -> Plan:
    """Exact where the kernel fits into the memory, a sketch where it does not or is asked for.

    Raises
    ------
    ValueError
        If `exact` is asked for and does not fit.
    """
    limit = float(positive(memory, "memory", ndim=0))
    if not (outputs in ("trace", "full") or isinstance(outputs, int)):
        raise ValueError(f"outputs must be 'trace', 'full' or a number; it is {outputs!r}")
    if isinstance(outputs, int) and not 0 <= outputs < model.outputs:
        raise ValueError(f"outputs must be below {model.outputs}; it is {outputs}")
    plan = Plan(outputs, limit, None, seed)
    if directions is not None:
        return Plan(outputs, limit, integer(directions, "directions"), seed)
    side = plan.rows(model.samples, model.outputs)
    apiece = model.outputs if outputs == "full" else 1
    if max(_KEPT * 8.0 * side**2, 2.0 * apiece * model.gradient) <= limit:
        return plan
    if exact:
        raise ValueError(
            f"a kernel of {side} x {side}, or the gradients it needs, are above the limit of "
            f"{limit:.2g} bytes: raise memory, take fewer probes or outputs='trace', or track with "
            f"directions={DIRECTIONS}"
        )
    return Plan(outputs, limit, DIRECTIONS, seed)


class Tracker:
    """Records a model whenever it is called: a callback for any loop.

    Attributes
    ----------
    run : Run
        What has been recorded.
    """

    def __init__(self, model: Watched, run: Run, plan: Plan | None) -> None:
        if len(run) and plan is not None and plan.directions is not None:
            raise ValueError(
                "a sketched run cannot be gone on with: what its directions met at the start is "
                "not kept, and KA is measured from there; take kernel=False, or a new run"
            )
        self.run, self._model, self._plan = run, model, plan
        self._first: Array | None = None

    def __call__(self, step: float, **measured: float) -> None:
        """Record the model as it is after this many steps; numbers of your own by name.

        Raises
        ------
        ValueError
            As `Run.record` does.
        """
        model, plan, run = self._model, self._plan, self.run
        given: dict[str, Any] = {"weights": model.weights(), "activations": model.activations()}
        if plan is not None and plan.directions is None:
            given["kernel"] = model.kernel(plan)
        elif plan is not None:
            now = model.projected(plan)
            first = now if self._first is None else self._first
            measured |= _estimated("kernel_alignment", sketched_alignment, first, now)
            if run.targets is not None:
                goal = run.targets
                along = model.along(goal, plan)
                measured |= _estimated(
                    "target_alignment", sketched_target_alignment, along, now, goal
                )
            self._first = first
        loss = measured.pop("loss", None)
        run.record(step, **given, loss=loss, **measured)


def wanted(targets: ArrayLike | None, model: Watched, outputs: Outputs) -> Array | None:
    """Targets of the probes as the kernel sees them.

    Raises
    ------
    ValueError
        If there is not one for each sample and output.
    """
    if targets is None:
        return None
    found = real_array(targets, "targets", ndim=(1, 2)).reshape(len(np.asarray(targets)), -1)
    if found.shape != (model.samples, model.outputs):
        raise ValueError(
            f"targets must be (samples, outputs), {model.samples} x {model.outputs} here; their "
            f"shape is {np.shape(targets)}"
        )
    return found[:, outputs] if isinstance(outputs, int) else found


def _estimated(name: str, measure: Any, *arguments: Any) -> dict[str, float]:
    try:
        found: Sketched = measure(*arguments)
    except UndefinedError:
        return {}
    return {name: found.value, f"{name}_standard_error": found.standard_error}
