"""Recurrent weights W_h(0)[post, pre] by name, all of the Frobenius norm of one Gaussian matrix.

A start is made from that Gaussian matrix (`gaussian`) and one generator, so those of one seed are
paired: they differ in structure, not in norm or in luck. `make` knows them by name:

- "gaussian": the matrix itself, and so the Gaussian control of every other start;
- "rank:R", "power_law:A": `of_rank`, `power_law`;
- "D:R": the rank-R cut of a matrix of the task's that the caller calls D, `aligned`;
- "cell_types", "dale", "chains_over", "chains_under": the functions below, as they stand;
- "celegans" and the other shipped connectomes: `measured`; with "/shuffled" or "/degrees" behind
  the name a control that keeps the weights, or the weights and every neuron's number of partners;
  with "/signed" behind that, `signed`.

Give every call an equal generator of its own, such as default_rng([seed, 1]): then a start does not
depend on which others are made, and a connectome and its controls have neurons of the same signs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import connectomes, spectrum
from richlazy.errors import integer, positive, real_array, unit_interval
from richlazy.sources import controls
from richlazy.start import matrices

__all__ = [
    "CIRCUITS",
    "STARTS",
    "aligned",
    "cell_types",
    "chain_motifs",
    "chains",
    "dale",
    "gaussian",
    "input_output",
    "make",
    "measured",
    "of_rank",
    "power_law",
    "signed",
]

Array = NDArray[np.float64]
Generator = np.random.Generator


def gaussian(units: int, rng: Generator, gain: float = 1.25) -> Array:
    """W_h(0) = gain / sqrt(N) x standard normal entries, of norm close to gain sqrt(N)."""
    n = integer(units, "units")
    scale = float(positive(gain, "gain", ndim=0)) / np.sqrt(n)
    return np.asarray(scale * rng.standard_normal((n, n)))


def of_rank(weights: ArrayLike, rank: int) -> Array:
    """The closest matrix of rank `rank` (singular values cut), rescaled to the norm of `weights`.

    Raises ValueError for a rank below 1, above N or above that of `weights`.
    """
    matrix = _square(weights, "weights")
    return _cut(matrix, rank, float(np.linalg.norm(matrix)), "weights")


def power_law(weights: ArrayLike, exponent: float) -> Array:
    """Singular vectors of `weights`, the k-th singular value proportional to k^-exponent.

    A soft rank: exponent 0 is orthogonal up to its scale, a large one nearly of rank 1.
    """
    matrix = _square(weights, "weights")
    left, _, right = np.linalg.svd(matrix)
    norm = float(np.linalg.norm(matrix))
    return np.asarray((left * spectrum.power_law(len(matrix), exponent, norm)) @ right)


def aligned(direction: ArrayLike, rank: int, norm: float) -> Array:
    """Cut of `direction` to rank `rank`, rescaled to `norm`: a low rank that sees the task.

    `direction` (N, N) is what learning would add first, such as -dL/dW_h at the Gaussian start, or
    `input_output`. Its rank is counted to the rounding of its own type, so leave what was found in
    float32 in float32.

    Raises ValueError for a rank below 1 or above that of `direction`.
    """
    return _cut(direction, rank, norm, "direction")


def input_output(inputs: ArrayLike, readout: ArrayLike, cov_yx: ArrayLike) -> Array:
    """W_o' Sigma_yx W_x' (N, N): from units that an input drives to those that its output reads.

    inputs is W_x (N, channels), readout W_o (outputs, N), cov_yx Sigma_yx (outputs, channels). The
    rank is at most the smaller of channels and outputs.
    """
    w_x = real_array(inputs, "inputs", ndim=2)
    w_o = real_array(readout, "readout", ndim=2)
    covariance = real_array(cov_yx, "cov_yx", ndim=2)
    if w_o.shape[1] != len(w_x) or covariance.shape != (len(w_o), w_x.shape[1]):
        raise ValueError(
            "inputs (N, channels), readout (outputs, N) and cov_yx (outputs, channels) must fit; "
            f"they are {w_x.shape}, {w_o.shape} and {covariance.shape}"
        )
    return np.asarray(w_o.T @ covariance @ w_x.T)


def cell_types(weights: ArrayLike, rng: Generator, types: int = 4, strength: float = 0.1) -> Array:
    """Blocks: a random mean for each pair of cell types, on top of `weights`.

    W_ij = b[type i, type j] + Gaussian, b normal less its mean over j, so that the mean input of
    every type is 0: b of another mean makes the activity of rectified units explode, or die. The
    types are of equal numbers of units, as far as that goes. `strength` in [0, 1] is the share of
    the squared norm that the means are given (but for their small overlap with `weights`).
    """
    matrix = _square(weights, "weights")
    n, count = len(matrix), integer(types, "types", least=2)
    if count > n:
        raise ValueError(f"types must be at most the {n} units; it is {count}: use fewer types")
    of_unit = np.arange(n) * count // n
    means = rng.standard_normal((count, count))[np.ix_(of_unit, of_unit)]
    means -= np.mean(means, axis=1, keepdims=True)
    return _mixed(matrix, means, strength)


def dale(weights: ArrayLike, excitatory: float = 0.8) -> Array:
    """Dale's law: sizes |W|, all outgoing weights of a unit (a column) of one sign.

    The first `excitatory` x N units, rounded, excite. Inhibition is scaled so that the sum of all
    weights, and with it the mean input of a row, is 0 (Rajan and Abbott 2006, Phys. Rev. Lett. 97:
    188104).
    """
    sizes = np.abs(_square(weights, "weights"))
    n = len(sizes)
    count = round(float(unit_interval(excitatory, "excitatory", ndim=0)) * n)
    if not 0 < count < n:
        raise ValueError(
            f"excitatory must leave units of both signs; {excitatory:g} of {n} units is {count}: "
            "use more units, or a share further from 0 and 1"
        )
    excites, inhibits = np.sum(sizes[:, :count]), np.sum(sizes[:, count:])
    if not (excites and inhibits):
        raise ValueError("weights must have nonzero columns of both signs to be balanced")
    sign = np.where(np.arange(n) < count, 1.0, -excites / inhibits)
    return _rescaled(sizes * sign, weights)


def chain_motifs(weights: ArrayLike) -> float:
    """tau = mean of w_ij w_jk over distinct i, j, k / mean of w_ij^2: chains k -> j -> i.

    w are the weights between different units less their mean, so tau is the correlation of
    successive weights: 0 by chance (N^-3/2 either way, for independent weights), positive where
    chains are over-represented (Zhao et al. 2011, Front. Comput. Neurosci. 5: 28; Dahmen et al.
    2020, bioRxiv 2020.11.02.365072).
    """
    w = _square(weights, "weights").copy()
    n = _enough_for_chains(w)
    np.fill_diagonal(w, 0.0)
    w -= np.sum(w) / (n * (n - 1))
    np.fill_diagonal(w, 0.0)
    square = np.sum(w**2) / (n * (n - 1))
    if not square:
        raise ValueError("weights must differ between pairs of units; they are all alike")
    closed = np.sum(w * w.T)  # i = k, which is a reciprocal pair and not a chain
    chained = np.sum(w, axis=0) @ np.sum(w, axis=1) - closed
    return float(chained / (n * (n - 1) * (n - 2)) / square)


def chains(weights: ArrayLike, rng: Generator, correlation: float) -> Array:
    """Chain motifs over-represented (`correlation` > 0) or under-represented (< 0).

    W_ij = sqrt(1 - 2 |tau|) G_ij + sqrt|tau| (u_i + sign(tau) u_j), G with entries of mean square 1
    and u standard normal, one number for a unit: units with much input have much output, or little
    (in- and out-strength correlate, as in the SONETs of Zhao et al. 2011). Then `chain_motifs` is
    tau = `correlation`, |tau| <= 1/2, and so are, but for the sign, those of converging and of
    diverging pairs, without which there are no chains: |chain|^2 <= converging x diverging. With
    equal generators over- and under-represented chains share u and differ in nothing but the sign.
    """
    matrix = _square(weights, "weights")
    n, tau = _enough_for_chains(matrix), float(real_array(correlation, "correlation", ndim=0))
    if abs(tau) > 0.5:
        raise ValueError(
            f"correlation must lie in [-0.5, 0.5], the range that chains can have; it is {tau:g}"
        )
    u = rng.standard_normal(n)
    u -= np.mean(u)
    return _mixed(matrix, u[:, None] + np.copysign(1.0, tau) * u, 2.0 * abs(tau))


def measured(name: str, units: int) -> Array:
    """Synapses among the `units` neurons with the most of them in a shipped connectome.

    Raises ValueError if it has fewer neurons than `units`, or they no connection.
    """
    found = connectomes.load(name)
    n, size = integer(units, "units"), len(found.neurons)
    if n > size:
        raise ValueError(
            f"units must be at most {size}, the neurons of {name}; it is {n}: use {size} units or "
            "fewer, or a larger connectome"
        )
    # The neurons with the most synapses, ties by name, in the order they had: those left out then
    # take the fewest connections with them, every seed has the same circuit, and the choice asks
    # nothing of what a neuron does.
    strength = np.sum(found.weights, axis=0) + np.sum(found.weights, axis=1)
    kept = np.sort(np.argsort(-strength, kind="stable")[:n])
    weights = found.weights[np.ix_(kept, kept)]
    if not np.any(weights):
        raise ValueError(
            f"units must be enough for a connection; the {n} first neurons of {name} have none "
            "among them: use more units"
        )
    return weights


def signed(weights: ArrayLike, rng: Generator) -> Array:
    """`weights` with a random sign for each presynaptic neuron (column), each as likely.

    Synapse counts have no sign. All excitatory they make rectified units explode; with signs by
    neuron, as Dale's law has them, every singular value stays what it was: W diag(+-1).
    """
    matrix = _square(weights, "weights")
    return np.asarray(matrix * rng.choice([-1.0, 1.0], size=len(matrix)))


#: The circuits, one of each kind and side.
CIRCUITS = ("celegans", "mushroom_body_left", "mushroom_body_right")
_CONTROLS: dict[str, Callable[[Array, Generator], Array]] = {
    "": lambda circuit, rng: circuit,
    "/shuffled": controls.shuffled,
    "/degrees": controls.degree_preserving,
}


def _circuit(weights: Array, rng: Generator, *, name: str, control: str, signs: bool) -> Array:
    """A measured circuit, or a control of it."""
    of_signs, of_control = rng.spawn(2)  # so that the signs are those of every control
    made = _CONTROLS[control](measured(name, len(weights)), of_control)
    return _rescaled(signed(made, of_signs) if signs else made, weights)


# Times N. Much more of it and rectified units explode; in these units their growth does not depend
# on N, as the leading eigenvalue of the means is gain sqrt(tau N).
_CHAINS = 2.0

#: Behind the name of a start whose signs and missing connections stay as they are in training.
KEPT = "/kept"


def bounds(weights: ArrayLike, kept: bool) -> tuple[Array, Array]:
    """The least and the largest that every weight may be: none, or those that keep its sign.

    A weight of zero is a connection that is not there, and has none while it is kept.
    """
    matrix = _square(weights, "weights")
    least = np.where(matrix < 0, -np.inf, 0.0) if kept else np.full_like(matrix, -np.inf)
    most = np.where(matrix > 0, np.inf, 0.0) if kept else np.full_like(matrix, np.inf)
    return least, most


#: Starts that take the Gaussian matrix and a generator, and nothing else.
STARTS: dict[str, Callable[[Array, Generator], Array]] = {
    "gaussian": lambda weights, rng: weights.copy(),
    "cell_types": cell_types,
    "dale": lambda weights, rng: dale(weights),
    "chains_over": lambda weights, rng: chains(weights, rng, _CHAINS / len(weights)),
    "chains_under": lambda weights, rng: chains(weights, rng, -_CHAINS / len(weights)),
} | {
    f"{name}{control}{'/signed' * signs}": partial(
        _circuit, name=name, control=control, signs=signs
    )
    for name, control, signs in product(CIRCUITS, _CONTROLS, (False, True))
}


def make(
    name: str,
    weights: ArrayLike,
    rng: Generator,
    directions: Mapping[str, ArrayLike] | None = None,
) -> Array:
    """W_h(0) (N, N) of a name (see the module), of the norm of the Gaussian matrix `weights`.

    `directions` are the task's own, by name: with {"gradient": -dL/dW_h} there are "gradient:1",
    "gradient:2" and so on.

    With `KEPT` behind its name a start is the same one; what training may do to it `bounds` says.

    Raises ValueError for a name that is not known, and lists those that are.
    """
    matrix = _square(weights, "weights")
    name = name.removesuffix(KEPT)
    if name in STARTS:
        return STARTS[name](matrix, rng)
    kind, _, text = name.partition(":")
    directions = directions or {}
    if kind == "power_law":
        return power_law(matrix, _number(name, text))
    if kind == "rank":
        return of_rank(matrix, integer(_number(name, text), "rank"))
    if kind in directions:
        direction, shape = directions[kind], np.shape(directions[kind])
        if shape != matrix.shape:
            raise ValueError(f"direction {kind!r} must be {matrix.shape}; its shape is {shape}")
        rank = integer(_number(name, text), "rank")
        return aligned(direction, rank, float(np.linalg.norm(matrix)))
    known = [*STARTS, "rank:R", "power_law:A", *(f"{each}:R" for each in directions)]
    raise ValueError(f"start must be one of {', '.join(known)}; it is {name!r}")


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"start {name!r} must have a number behind its colon, as in 'rank:30'"
        ) from None


def _square(weights: ArrayLike, name: str) -> Array:
    matrix = real_array(weights, name, ndim=2)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be square (N, N); its shape is {matrix.shape}")
    if not np.any(matrix):
        raise ValueError(f"{name} must have a nonzero entry; every one is zero")
    return matrix


def _enough_for_chains(weights: Array) -> int:
    if len(weights) < 3:
        raise ValueError(f"weights must have at least 3 units for chains; it has {len(weights)}")
    return len(weights)


def _rescaled(matrix: Array, like: ArrayLike) -> Array:
    return np.asarray(matrices.rescaled(matrix, float(np.linalg.norm(like))))


def _mixed(weights: Array, structure: Array, share: float) -> Array:
    """`weights` and a structure that has a share of the squared norm, rescaled to `weights`."""
    part = float(unit_interval(share, "strength", ndim=0))
    rest = np.sqrt(1.0 - part) / np.linalg.norm(weights) * weights
    return _rescaled(rest + np.sqrt(part) / np.linalg.norm(structure) * structure, weights)


def _cut(matrix: ArrayLike, rank: int, norm: float, name: str) -> Array:
    """The cut to a rank that the matrix must have."""
    kind = np.asarray(matrix).dtype
    rounding = np.finfo(kind if kind.kind == "f" else np.float64).eps
    left, values, right = np.linalg.svd(_square(matrix, name))
    most = int(np.count_nonzero(values > values[0] * values.size * rounding))
    r = integer(rank, "rank")
    if r > most:
        raise ValueError(
            f"rank must be at most {most}, that of {name} ({values.size} x {values.size}); it is "
            f"{r}: use a rank from 1 to {most}"
        )
    return np.asarray((left[:, :r] * spectrum.rescaled(values[:r], norm)) @ right[:r])
