"""JAX networks, recorded as they train (extra `jax`).

A network is a function `apply(params, probe)` of a pytree. The empirical tangent kernel K = J J',
J the Jacobian of the outputs on the probes by the parameters, is exact where it fits, from
gradients in blocks of samples under the memory limit, and sketched by `jax.jvp` along random
directions else.
Numbers are of the precision of the parameters: `jax_enable_x64` is yours to set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.runs.kernels import afforded
from richlazy.runs.run import Run
from richlazy.runs.tracker import MEMORY, Outputs, Plan, Tracker, planned, wanted

try:
    import jax  # type: ignore[import-not-found, unused-ignore]
    import jax.numpy as jnp  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    raise ImportError("richlazy.runs.jax needs JAX: pip install richlazy[jax]") from None

__all__ = ["JaxTracker", "tangent_kernel", "track"]

Array = NDArray[np.float64]
Apply = Callable[[Any, Any], Any]

_AGREE = 1e-3  # of the largest: answers to one sample alone and in the batch


def track(
    apply: Apply,
    params: Any,
    probe: Any,
    *,
    targets: ArrayLike | None = None,
    learning_rate: float | None = None,
    hidden: Apply | None = None,
    kernel: bool = True,
    outputs: Outputs = "trace",
    memory: float = MEMORY,
    directions: int | None = None,
    keep: Literal["ends", "all"] = "ends",
    seed: int = 0,
    run: Run | None = None,
) -> JaxTracker:
    """Record a network while it trains: call the tracker with the parameters of any step.

    Parameters
    ----------
    apply
        `apply(params, probe)` -> (samples,) or (samples, outputs).
    params
        A pytree, as of now; what is recorded is what each call brings.
    probe
        A fixed batch of inputs, samples first. All measures are over these.
    hidden
        `hidden(params, probe)` -> activations (samples, units), or a dict of such. None: none.
    targets, learning_rate, kernel, outputs, memory, directions, keep, seed, run
        As in `richlazy.runs.torch.track`.

    Raises
    ------
    ValueError
        If a sample's output depends on the others, the outputs are no matrix, or a single
        gradient is above `memory`.
    """
    watched = _Model(apply, params, probe, hidden)
    plan = planned(watched, outputs, memory, directions, seed) if kernel else None
    if run is None:
        run = Run(learning_rate, targets=wanted(targets, watched, outputs), keep=keep)
    return JaxTracker(watched, run, plan)


class JaxTracker(Tracker):
    """Records the parameters that it is called with."""

    def __call__(self, step: float, params: Any = None, **measured: float) -> None:
        """Record these parameters, after this many steps; numbers of your own by name."""
        if params is None:
            raise ValueError(
                "params must be given, since JAX keeps none: write tracker(step, params)"
            )
        model = self._model
        assert isinstance(model, _Model)
        model.params = params
        super().__call__(step, **measured)


def tangent_kernel(
    apply: Apply, params: Any, probe: Any, *, outputs: Outputs = "trace", memory: float = MEMORY
) -> Array:
    """The empirical tangent kernel of a network on probes, as `track` has it, in float64.

    Raises
    ------
    ValueError
        If it does not fit into `memory`.
    """
    watched = _Model(apply, params, probe, None)
    return watched.kernel(planned(watched, outputs, memory, None, 0, exact=True))


class _Model:
    """A network on its probes (`tracker.Watched`)."""

    def __init__(self, apply: Apply, params: Any, probe: Any, hidden: Apply | None) -> None:
        self.params, self._probe, self._hidden = params, jnp.asarray(probe), hidden
        leaves = jax.tree_util.tree_leaves(params)
        if not leaves:
            raise ValueError("params must hold an array; it is empty")
        self._count = sum(int(np.size(leaf)) for leaf in leaves)
        self._itemsize = np.dtype(leaves[0].dtype).itemsize
        self.gradient = self._count * self._itemsize

        def answer(values: Any, inputs: Any) -> Any:
            found = apply(values, inputs)
            if found.ndim not in (1, 2):
                raise ValueError(
                    "apply must answer (samples,) or (samples, outputs); it gives "
                    f"{tuple(found.shape)}"
                )
            return found[:, None] if found.ndim == 1 else found

        self._answer = answer
        whole, alone = answer(params, self._probe), answer(params, self._probe[:1])
        self.samples, self.outputs = (int(n) for n in whole.shape)
        if self.samples != len(self._probe):
            raise ValueError(
                f"probe holds {len(self._probe)} samples, apply answers {self.samples}: samples "
                "come first"
            )
        size = float(jnp.abs(whole).max()) or 1.0
        if float(jnp.abs(whole[:1] - alone).max()) > _AGREE * size:
            raise ValueError(
                "what apply answers to one sample depends on the others of the batch: such a "
                "network has no kernel over samples"
            )

        def gradients(values: Any, inputs: Any, output: Any) -> Any:
            def one(sample: Any) -> Any:
                found = jax.grad(lambda p: answer(p, sample[None])[0, output])(values)
                return jnp.concatenate([jnp.ravel(g) for g in jax.tree_util.tree_leaves(found)])

            return jax.vmap(one)(inputs)

        self._gradients = jax.jit(gradients)
        self._moved = jax.jit(
            lambda values, direction: jax.jvp(
                lambda p: answer(p, self._probe), (values,), (direction,)
            )[1]
        )

    def weights(self) -> dict[str, Any]:
        """Parameters by name."""
        leaves, _ = jax.tree_util.tree_flatten_with_path(self.params)
        return {".".join(map(_key, path)) or "params": leaf for path, leaf in leaves}

    def activations(self) -> dict[str, Any] | None:
        """Hidden activations on the probes, where there is a function for them."""
        if self._hidden is None:
            return None
        found = self._hidden(self.params, self._probe)
        return found if isinstance(found, dict) else {"hidden": found}

    def kernel(self, plan: Plan) -> Array:
        """The tangent kernel, exact, from gradients of blocks of samples."""
        side, chosen = plan.rows(self.samples, self.outputs), plan.chosen(self.outputs)
        found = np.zeros((side, side))
        turns = [chosen] if plan.outputs == "full" else [[output] for output in chosen]
        apiece = len(turns[0])
        block = afforded(self.samples, self._count * apiece, self._itemsize, plan.memory)
        for turn in turns:
            for i in range(0, self.samples, block):
                rows = self._rows(slice(i, i + block), turn)
                for j in range(i, self.samples, block):
                    columns = rows if j == i else self._rows(slice(j, j + block), turn)
                    product = np.asarray(rows @ columns.T, dtype=np.float64)
                    a, b = i * apiece, j * apiece
                    into = slice(a, a + len(product)), slice(b, b + product.shape[1])
                    found[into] += product
                    if j > i:
                        found[into[::-1]] += product.T
        return found

    def _rows(self, where: slice, outputs: list[int]) -> Any:
        """Gradients of outputs of some samples, (samples x outputs, parameters)."""
        each = [self._gradients(self.params, self._probe[where], output) for output in outputs]
        return jnp.stack(each, axis=1).reshape(-1, self._count)

    def projected(self, plan: Plan) -> Array:
        """J v for random directions v, the same at every snapshot."""
        assert plan.directions is not None
        leaves, tree = jax.tree_util.tree_flatten(self.params)
        found = []
        for k in range(plan.directions):
            chance = np.random.default_rng([plan.seed, k])
            direction = jax.tree_util.tree_unflatten(
                tree, [jnp.asarray(chance.standard_normal(x.shape), dtype=x.dtype) for x in leaves]
            )
            moved = np.asarray(self._moved(self.params, direction), dtype=np.float64)
            found.append(plan.as_rows(moved))
        return np.stack(found)

    def along(self, targets: Array, plan: Plan) -> float:
        """||J' S||^2; summed over outputs for the trace."""
        _, back = jax.vjp(lambda p: self._answer(p, self._probe), self.params)
        if plan.outputs == "full":
            every = [np.asarray(targets).reshape(self.samples, self.outputs)]
        else:
            every = []
            for output in plan.chosen(self.outputs):
                for column in np.asarray(targets).reshape(self.samples, -1).T:
                    one = np.zeros((self.samples, self.outputs))
                    one[:, output] = column
                    every.append(one)
        kind = self._answer(self.params, self._probe[:1]).dtype
        total = 0.0
        for one in every:
            (found,) = back(jnp.asarray(one, dtype=kind))
            total += sum(
                float(np.sum(np.asarray(g, dtype=np.float64) ** 2))
                for g in jax.tree_util.tree_leaves(found)
            )
        return total


def _key(entry: Any) -> str:
    """A dict's key, a list's place or an attribute's name on the path to an array."""
    for name in ("key", "idx", "name"):
        if hasattr(entry, name):
            return str(getattr(entry, name))
    return str(entry)
