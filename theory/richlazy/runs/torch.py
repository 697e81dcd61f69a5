"""PyTorch models, recorded as they train (extra `torch`).

The empirical tangent kernel K = J J', J the Jacobian of the outputs on the probes by the trained
parameters, is exact where it fits: of a linear layer, from its inputs a and the gradients g at
its outputs, (a_i' a_j)(g_i' g_j) summed over its calls, which needs no gradient of a parameter;
of every other parameter from gradients sample by sample, in blocks under the memory limit. Where
that does not fit it is sketched by `torch.func.jvp` along random directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.runs.kernels import afforded
from richlazy.runs.run import Run
from richlazy.runs.tracker import MEMORY, Outputs, Plan, Tracker, planned, wanted

try:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from torch import nn
except ImportError:
    raise ImportError(
        "richlazy.runs.torch needs PyTorch: pip install richlazy[torch], or torch as its site says"
    ) from None

__all__ = ["tangent_kernel", "track"]

Array = NDArray[np.float64]
Forward = Callable[[Any, Any], Any]

_AGREE = 1e-3  # of the largest: gradients of a layer from its calls, and by autograd


def track(
    model: nn.Module,
    probe: Any,
    *,
    targets: ArrayLike | None = None,
    learning_rate: float | None = None,
    layers: tuple[str, ...] | None = None,
    forward: Forward | None = None,
    kernel: bool = True,
    outputs: Outputs = "trace",
    memory: float = MEMORY,
    directions: int | None = None,
    keep: Literal["ends", "all"] = "ends",
    seed: int = 0,
    run: Run | None = None,
) -> Tracker:
    """Record a model while it trains: call the tracker after any number of steps.

    Parameters
    ----------
    model
        Any module; it is asked in `eval` mode and left as it was. Parameters that need no gradient
        are not counted.
    probe
        A fixed batch of inputs, samples first. All measures are over these.
    targets
        Of the probes, for the target alignment, (samples,) or (samples, outputs).
    learning_rate
        Of plain gradient descent, so that columns run along time.
    layers
        Modules whose outputs are the activations. None: the input of the last module that has
        parameters, called "hidden".
    forward
        How the model answers, `forward(model, probe)` -> (samples,) or (samples, outputs). None:
        `model(probe)`.
    kernel
        Whether the tangent kernel is worked out.
    outputs
        "trace" sums the kernel over outputs, "full" keeps (sample, output) pairs, a number takes
        one output.
    memory
        Bytes for kernels and gradients. Beyond it the kernel is sketched.
    directions
        Random directions of a sketch; None: exact where it fits, else 256.
    keep
        As in `Run`.
    seed
        Of the sketch.
    run
        A run to go on with, such as a loaded one.

    Raises
    ------
    ValueError
        If a sample's output depends on the others, the outputs are no matrix, or a single
        gradient is above `memory`.
    """
    watched = _Model(model, probe, layers, forward)
    plan = planned(watched, outputs, memory, directions, seed) if kernel else None
    if run is None:
        run = Run(learning_rate, targets=wanted(targets, watched, outputs), keep=keep)
    return Tracker(watched, run, plan)


def tangent_kernel(
    model: nn.Module,
    probe: Any,
    *,
    outputs: Outputs = "trace",
    forward: Forward | None = None,
    memory: float = MEMORY,
) -> Array:
    """The empirical tangent kernel of a model on probes, as `track` has it, in float64.

    Raises
    ------
    ValueError
        If it does not fit into `memory`.
    """
    watched = _Model(model, probe, None, forward)
    return watched.kernel(planned(watched, outputs, memory, None, 0, exact=True))


class _Calls(NamedTuple):
    """What a linear layer saw and gave, call by call."""

    seen: list[Any]
    given: list[Any]
    versions: list[int]


class _Whole(nn.Module):  # type: ignore[misc]
    """A model and how it answers, as one module."""

    def __init__(self, model: nn.Module, answer: Forward) -> None:
        super().__init__()
        self.model, self._answer = model, answer

    def forward(self, probe: Any) -> Any:
        found = self._answer(self.model, probe)
        if not isinstance(found, torch.Tensor) or found.ndim not in (1, 2):
            shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise ValueError(
                f"the model must answer (samples,) or (samples, outputs); it gives {shape}: pass "
                "forward=lambda model, probe: ..."
            )
        return found[:, None] if found.ndim == 1 else found


class _Model:
    """A model on its probes (`tracker.Watched`)."""

    def __init__(
        self, model: nn.Module, probe: Any, layers: tuple[str, ...] | None, forward: Forward | None
    ) -> None:
        self._model = model
        self._whole = _Whole(model, forward or (lambda module, x: module(x)))
        first = next(iter(model.parameters()), None)
        if first is None:
            raise ValueError("the model has no parameters")
        given = torch.as_tensor(probe)
        kind = first.dtype if given.is_floating_point() else given.dtype
        self._probe = given.to(first.device, kind)
        known = dict(model.named_modules())
        unknown = [name for name in layers or () if name not in known]
        if unknown:
            names = ", ".join(filter(None, known))
            raise ValueError(f"no module {unknown[0]!r}; there are {names}")
        self._layers = layers
        with _asked(model), torch.no_grad():
            answer = self._whole(self._probe)
            alone = self._whole(self._probe[:1])
        self.samples, self.outputs = (int(n) for n in answer.shape)
        linear = {id(m.weight) for m in model.modules() if type(m) is nn.Linear}
        others = [p for p in self._parameters.values() if id(p) not in linear]
        self.gradient = sum(p.numel() * p.element_size() for p in others)
        if self.samples != len(self._probe):
            raise ValueError(
                f"probe holds {len(self._probe)} samples, the model answers {self.samples}: "
                "samples come first"
            )
        size = float(answer.abs().max()) or 1.0
        if float((answer[:1] - alone).abs().max()) > _AGREE * size:
            raise ValueError(
                "what the model answers to one sample depends on the others of the batch: such a "
                "model has no kernel over samples"
            )

    @property
    def _parameters(self) -> dict[str, Any]:
        return {name: p for name, p in self._model.named_parameters() if p.requires_grad}

    def weights(self) -> dict[str, Any]:
        """Trained parameters by name."""
        return self._parameters

    def activations(self) -> dict[str, Any]:
        """Outputs of the layers asked for, or the input of the last one that has parameters."""
        kept: dict[str, Any] = {}
        hooks = []
        if self._layers is None:
            last = [m for m in self._model.modules() if list(m.parameters(recurse=False))][-1]

            def before(_: Any, inputs: tuple[Any, ...]) -> None:
                kept["hidden"] = inputs[0].detach()

            hooks.append(last.register_forward_pre_hook(before))
        else:
            modules = dict(self._model.named_modules())

            def after(name: str) -> Callable[[Any, Any, Any], None]:
                def hook(_: Any, __: Any, output: Any) -> None:
                    first = output[0] if isinstance(output, tuple) else output
                    kept[name] = first.detach()

                return hook

            hooks += [modules[n].register_forward_hook(after(n)) for n in self._layers]
        try:
            with _asked(self._model), torch.no_grad():
                self._whole(self._probe)
        finally:
            for hook in hooks:
                hook.remove()
        wrong = [name for name, value in kept.items() if len(value) != self.samples]
        if wrong and self._layers is not None:
            raise ValueError(f"activations of {wrong[0]!r} do not have samples first")
        return {n: value.reshape(len(value), -1) for n, value in kept.items() if n not in wrong}

    def kernel(self, plan: Plan) -> Array:
        """The tangent kernel, exact: linear layers from their calls, the rest sample by sample."""
        side = plan.rows(self.samples, self.outputs)
        found = torch.zeros(side, side, dtype=torch.float64)
        with _asked(self._model):
            done = self._by_calls(found, plan)
            rest = {n: p for n, p in self._parameters.items() if n not in done}
            if rest:
                self._by_samples(found, rest, plan)
        return np.asarray(found.numpy())

    def _by_calls(self, found: Any, plan: Plan) -> set[str]:
        """Add what linear layers contribute; the names of their parameters."""
        calls: dict[str, _Calls] = {}
        tied = _shared(self._model)  # such weights are no layer's own
        modules = {
            name: m
            for name, m in self._model.named_modules()
            if type(m) is nn.Linear
            and m.weight.requires_grad
            and not tied & {f"{_prefix(name)}weight", f"{_prefix(name)}bias"}
        }

        def watch(name: str) -> Callable[[Any, Any, Any], None]:
            def hook(_: Any, inputs: tuple[Any, ...], output: Any) -> None:
                record = calls.setdefault(name, _Calls([], [], []))
                record.seen.append(inputs[0].detach())
                record.given.append(output)
                record.versions.append(output._version)

            return hook

        hooks = [m.register_forward_hook(watch(name)) for name, m in modules.items()]
        try:
            with torch.enable_grad():
                answer = self._whole(self._probe)
        finally:
            for hook in hooks:
                hook.remove()
        plain = {
            name: record
            for name, record in calls.items()
            # written over in place since: what autograd knows of it now is something else
            if all(z._version == v for z, v in zip(record.given, record.versions, strict=True))
            and all(len(x) == self.samples and x.ndim > 1 for x in record.seen)
        }
        given = [z for record in plain.values() for z in record.given]
        weights = [modules[name].weight for name in plain]
        biases = [m.bias for m in (modules[name] for name in plain) if _biased(m)]
        if not given:
            return set()
        gradients: list[list[Any]] = []  # by output, then by call
        trusted = set(plain)
        for output in plan.chosen(self.outputs):
            total = answer[:, output].sum()
            each = torch.autograd.grad(
                total, [*given, *weights, *biases], retain_graph=True, allow_unused=True
            )
            wholes, offsets = each[len(given) :], iter(each[len(given) + len(weights) :])
            own = [
                torch.zeros_like(z) if g is None else g for z, g in zip(given, each, strict=False)
            ]
            gradients.append(own)
            place = 0
            for (name, record), whole in zip(plain.items(), wholes, strict=False):
                some = own[place : place + len(record.given)]
                place += len(record.given)
                # a weight used elsewhere too has more gradient than its calls explain
                summed = sum(
                    torch.einsum("ro,ri->oi", g.flatten(0, -2), x.flatten(0, -2))
                    for g, x in zip(some, record.seen, strict=True)
                )
                known = _agree(summed, whole)
                if _biased(modules[name]):
                    known &= _agree(sum(g.flatten(0, -2).sum(dim=0) for g in some), next(offsets))
                if not known:
                    trusted.discard(name)
        names: set[str] = set()
        place = 0
        for name, record in plain.items():
            part = slice(place, place + len(record.given))
            place += len(record.given)
            if name not in trusted:
                continue
            module, prefix = modules[name], _prefix(name)
            names.add(f"{prefix}weight")
            bias = _biased(module)
            if bias:
                names.add(f"{prefix}bias")
            _add_layer(found, record.seen, [g[part] for g in gradients], bias, plan)
        return names

    def _by_samples(self, found: Any, parameters: dict[str, Any], plan: Plan) -> None:
        """Add what parameters contribute, from gradients of blocks of samples."""
        count = sum(p.numel() for p in parameters.values())
        size = next(iter(parameters.values())).element_size()
        chosen = plan.chosen(self.outputs)
        apiece = len(chosen) if plan.outputs == "full" else 1
        block = afforded(self.samples, count * apiece, size, plan.memory)
        starts = range(0, self.samples, block)
        turns = [chosen] if plan.outputs == "full" else [[output] for output in chosen]
        for turn in turns:
            for i in starts:
                rows = self._gradients(parameters, slice(i, i + block), turn)
                for j in starts:
                    if j < i:
                        continue
                    columns = (
                        rows if j == i else self._gradients(parameters, slice(j, j + block), turn)
                    )
                    product = (rows @ columns.T).to(found)
                    a, b = i * len(turn), j * len(turn)
                    into = found[a : a + len(product), b : b + product.shape[1]]
                    into += product
                    if j > i:
                        found[b : b + product.shape[1], a : a + len(product)] += product.T

    def _gradients(self, parameters: dict[str, Any], where: slice, outputs: list[int]) -> Any:
        """Gradients of outputs of some samples, (samples x outputs, parameters)."""
        rows = []
        for sample in range(*where.indices(self.samples)):
            with torch.enable_grad():
                answer = self._whole(self._probe[sample : sample + 1])[0]
            for output in outputs:
                each = torch.autograd.grad(
                    answer[output], list(parameters.values()), retain_graph=True, allow_unused=True
                )
                rows.append(
                    torch.cat(
                        [
                            (torch.zeros_like(p) if g is None else g).reshape(-1)
                            for g, p in zip(each, parameters.values(), strict=True)
                        ]
                    )
                )
        return torch.stack(rows)

    def projected(self, plan: Plan) -> Array:
        """J v for random directions v, the same at every snapshot."""
        assert plan.directions is not None
        parameters = {f"model.{n}": p.detach() for n, p in self._parameters.items()}
        kept = {f"model.{n}": b for n, b in self._model.named_buffers()}
        found = []

        def answer(values: dict[str, Any]) -> Any:
            return torch.func.functional_call(self._whole, {**kept, **values}, (self._probe,))

        with _asked(self._model):
            for k in range(plan.directions):
                chance = torch.Generator().manual_seed(plan.seed * 1_000_003 + k)
                direction = {
                    name: torch.randn(p.shape, generator=chance, dtype=p.dtype).to(p.device)
                    for name, p in parameters.items()
                }
                _, moved = torch.func.jvp(answer, (parameters,), (direction,))
                moved = moved.detach().to("cpu", torch.float64).numpy()
                found.append(plan.as_rows(moved))
        return np.stack(found)

    def along(self, targets: Array, plan: Plan) -> float:
        """||J' S||^2; summed over outputs for the trace."""
        weights = list(self._parameters.values())
        total = 0.0
        goal = torch.as_tensor(targets).to(weights[0])
        with _asked(self._model), torch.enable_grad():
            answer = self._whole(self._probe)
            if plan.outputs == "full":
                sums = [(answer * goal).sum()]
            else:
                columns = goal.reshape(self.samples, -1).T
                sums = [
                    answer[:, o] @ column for o in plan.chosen(self.outputs) for column in columns
                ]
            for value in sums:
                each = torch.autograd.grad(value, weights, retain_graph=True, allow_unused=True)
                total += sum(float((g.double() ** 2).sum()) for g in each if g is not None)
        return total


def _add_layer(
    found: Any, seen: list[Any], gradients: list[list[Any]], bias: bool, plan: Plan
) -> None:
    """Add the kernel of one linear layer, from its inputs and the gradients at its outputs."""
    samples = len(seen[0])
    inputs = torch.cat([x.reshape(samples, -1, x.shape[-1]) for x in seen], dim=1)
    each = [
        torch.cat([g.reshape(samples, -1, g.shape[-1]) for g in own], dim=1) for own in gradients
    ]
    if plan.outputs == "full":  # rows (sample, output), output fastest
        count = len(each)
        stacked = torch.stack(each, dim=1).reshape(samples * count, *each[0].shape[1:])
        _add_one(found, inputs.repeat_interleave(count, dim=0), stacked, bias)
    elif inputs.shape[1] == 1:  # the sum over outputs is one over more features
        _add_one(found, inputs, torch.cat(each, dim=-1), False)
        if bias:
            own = torch.cat(each, dim=-1)[:, 0].to(found)
            found += own @ own.T
    else:
        for own in each:
            _add_one(found, inputs, own, bias)


def _add_one(found: Any, inputs: Any, gradients: Any, bias: bool) -> None:
    """Sum over pairs of calls of (a_i' a_j)(g_i' g_j), or the product of the sums where fewer."""
    rows, calls, wide = inputs.shape
    high = gradients.shape[-1]
    if calls == 1:
        a, g = inputs[:, 0].to(found), gradients[:, 0].to(found)
        found += (a @ a.T) * (g @ g.T)
    elif calls * calls * (wide + high) < 2 * wide * high:
        a, g = (x.to(found).reshape(rows * calls, -1) for x in (inputs, gradients))
        both = (a @ a.T) * (g @ g.T)
        found += both.reshape(rows, calls, rows, calls).sum(dim=(1, 3))
    else:
        own = torch.einsum("rca,rcg->rag", inputs, gradients).reshape(rows, -1).to(found)
        found += own @ own.T
    if bias:
        own = gradients.sum(dim=1).to(found)
        found += own @ own.T


def _biased(layer: Any) -> bool:
    """Whether a linear layer has a bias that trains."""
    return layer.bias is not None and bool(layer.bias.requires_grad)


def _agree(by_calls: Any, whole: Any) -> bool:
    """Whether the calls of a layer explain the gradient of a parameter (None: there is none)."""
    whole = torch.zeros_like(by_calls) if whole is None else whole
    size = float(whole.abs().max()) + float(by_calls.abs().max())
    return float((by_calls - whole).abs().max()) <= _AGREE * size


def _prefix(module: str) -> str:
    """What the names of a module's parameters begin with."""
    return f"{module}." if module else ""


def _shared(model: nn.Module) -> set[str]:
    """Names of parameters that more than one module has."""
    owners: dict[int, list[str]] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        owners.setdefault(id(p), []).append(name)
    return {name for names in owners.values() if len(names) > 1 for name in names}


@contextmanager
def _asked(model: nn.Module) -> Iterator[None]:
    """The model in `eval` mode, module by module left as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
