"""More measures of your own runs: how far kernels, representations and weights have moved.

`richlazy.laziness` has the measures that the theory predicts. These are further ones that people
take of networks they have trained:

- kernel distance 1 - KA and its speed along training (Fort et al. 2020);
- target alignment <S, K S> / (||K|| ||S||^2) (Cristianini et al. 2001);
- centred kernel alignment CKA of activations (Kornblith et al. 2019), and without the bias of few
  samples (Song et al. 2012; Nguyen, Raghu & Kornblith 2021), with a standard error;
- effective ranks of the change of a weight matrix.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import UndefinedError, real_array, several
from richlazy.laziness import (
    as_kernel,
    defined_alignment,
    kernels,
    over_largest,
    representation_alignment,
    unit_of,
)
from richlazy.start import precision as rounding
from richlazy.start import spectrum
from richlazy.start.matrices import Estimate
from richlazy.start.precision import PrecisionLike

__all__ = [
    "ChangeRank",
    "change_rank",
    "cka",
    "cka_estimate",
    "kernel_distance",
    "kernel_speed",
    "target_alignment",
]

Array = NDArray[np.float64]

_SCALE_FREE: tuple[spectrum.Kind, ...] = ("participation", "stable", "entropy")
_CONSTANT = 4.0  # roundings of its largest value, within which a feature is constant
_LONELY = 1e-11  # of the fourth powers of norms: less between samples than that is rounding


def kernel_distance(initial: ArrayLike, final: ArrayLike) -> float:
    """1 - KA = ||a - b||_F^2 / 2 of the kernels over their norms, a and b, (n, n) symmetric.

    From the difference, so that a small distance keeps its digits. What the kernels are rounded
    to, u of themselves, leaves a distance of about u^2/2: 7e-15 in float32.

    Raises
    ------
    ValueError
        If a kernel is not symmetric, as for `kernel_alignment`.
    UndefinedError
        If either is all zero.

    Examples
    --------
    >>> found = kernel_distance([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0 + 1e-8]])
    >>> print(f"{found:.6g}")
    1.25e-17
    """
    k0, kt = kernels(initial, final)
    return _distance(_normed(k0, "initial"), _normed(kt, "final"))


def kernel_speed(steps: ArrayLike, kernels: Iterable[ArrayLike]) -> Array:
    """(1 - KA(K_i, K_(i+1))) / (t_(i+1) - t_i) between snapshots of a kernel, in 1/step.

    The kernel velocity of Fort et al. 2020, "Deep learning versus kernel learning". A kernel
    distance is a square, so between snapshots that are close together it shrinks with the spacing
    squared, and this with the spacing: compare runs at the same spacing.

    Parameters
    ----------
    steps
        Steps, epochs or times t of the snapshots, (k,), increasing. The speed is in their inverse.
    kernels
        The k kernels, (n, n) symmetric each; two of them are held at a time.

    Returns
    -------
    Array
        Speeds, (k - 1,).

    Raises
    ------
    UndefinedError
        If a kernel is all zero.

    Examples
    --------
    >>> eye, one = np.eye(2), np.diag([1.0, 0.0])
    >>> kernel_speed([0, 100, 300], [eye, eye, one]).round(6)
    array([0.      , 0.001464])
    """
    t = real_array(steps, "steps", ndim=1)
    snapshots = several(kernels, "kernels", "give one kernel a step")
    if t.size != len(snapshots) or t.size < 2:
        raise ValueError(
            f"steps and kernels must be as many, two or more; they are {t.size} and "
            f"{len(snapshots)}"
        )
    with np.errstate(over="ignore"):  # told below
        spacing = np.diff(t)
    if not np.all((spacing > 0) & np.isfinite(spacing)):
        raise ValueError("steps must increase, by less than the largest float64")
    shapes = {np.shape(snapshot) for snapshot in snapshots}
    if len(shapes) > 1:
        raise ValueError(f"kernels must be of one size; they are {sorted(shapes)}")
    each = (
        _normed(as_kernel(snapshot, f"kernels[{i}]"), f"kernels[{i}]")
        for i, snapshot in enumerate(snapshots)
    )
    return np.array([_distance(a, b) for a, b in pairwise(each)]) / spacing


def _normed(kernel: Array, name: str) -> Array:
    """A kernel whose largest entry is 1 over its Frobenius norm."""
    norm = float(np.linalg.norm(kernel))
    if norm == 0:
        raise UndefinedError(f"kernel distance is 0/0: {name} is all zero")
    return kernel / norm


def _distance(a: Array, b: Array) -> float:
    """1 - <a, b> of two of unit norm; norms off by eps change it by a share eps, and by eps^2."""
    return 0.5 * float(np.sum((a - b) ** 2))


def target_alignment(kernel: ArrayLike, targets: ArrayLike) -> float:
    """<S, K S> / (||K||_F ||S||_F^2) of a kernel K with targets S, not centred.

    Over samples and outputs, the kernel (n m, n m) has the output running fastest, as everywhere.
    Over samples alone, (n, n), it is that of each output, or their mean or sum, and
    <S, K S> = sum_o s_o' K s_o; as a kernel of all outputs K (x) I_m it would be sqrt(m) lower.
    To compare with what a constant cannot explain, subtract the mean over samples from the
    targets (and centre the kernel).

    Parameters
    ----------
    kernel
        Symmetric, (n, n) or (n m, n m).
    targets
        S, (n,) or (n, m).

    Raises
    ------
    ValueError
        If the kernel is not symmetric, or of neither size.
    UndefinedError
        If either is all zero.

    Examples
    --------
    >>> labels = [1.0, 1.0, -1.0]
    >>> round(target_alignment(np.outer(labels, labels), labels), 12)
    1.0
    >>> round(target_alignment(np.eye(3), labels), 6)
    0.57735
    """
    k, s = as_kernel(kernel, "kernel"), real_array(targets, "targets", ndim=(1, 2))
    if len(k) not in (len(s), s.size):
        raise ValueError(
            f"kernel must be over the samples of targets or over their samples and outputs; the "
            f"shapes are {k.shape} and {s.shape}"
        )
    s = over_largest(s.reshape(len(k), -1))
    size = float(np.sum(s**2))
    return defined_alignment(float(np.sum(s * (k @ s))), float(np.sum(k**2)), size**2, "target")


def cka(initial: ArrayLike, final: ArrayLike, *, debiased: bool = False) -> float:
    """Centred kernel alignment (linear CKA) of activations of the same samples.

    With the mean over samples subtracted from each feature it is RA,

        ||X'Y||_F^2 / (||X'X||_F ||Y'Y||_F),

    from 0 to 1. Few samples of many features look alike whatever they are. `debiased` removes
    that: the Gram matrices enter without their diagonals, each inner product by its unbiased
    estimate (Song et al. 2012; Nguyen, Raghu & Kornblith 2021). It is the cosine of the U-centred
    Gram matrices (Szekely & Rizzo 2014), 0 on average of unrelated activations, so it may be
    negative but never above 1.

    Parameters
    ----------
    initial, final
        Activations, (samples, features), any numbers of features. A feature that varies by no
        more than the rounding of its dtype is constant.
    debiased
        Whether to remove the bias of few samples; takes 4 samples or more.

    Raises
    ------
    ValueError
        If the numbers of samples differ, or are too few.
    UndefinedError
        If the activations of either are constant, or (debiased) differ in one sample alone.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.standard_normal((20, 100)), rng.standard_normal((20, 100))
    >>> round(cka(x, y), 1), abs(cka(x, y, debiased=True)) < 0.1
    (0.8, True)
    """
    x, y = _activations(initial, final)
    if not debiased:
        return representation_alignment(x, y)
    rows, floors = _between(x, y, least=4)
    return float(_cosines(rows.sum(axis=1), floors))


def cka_estimate(initial: ArrayLike, final: ArrayLike) -> Estimate:
    """Debiased CKA and its standard error over samples, by the delete-one jackknife.

    Exactly that of n computations without one sample each, in the work of one: the U-centred Gram
    matrices A and B have rows that sum to 0, and without sample i

        <A, B>_i is proportional to sum_jk A_jk B_jk - 2 (n - 2)/(n - 3) sum_j A_ij B_ij.

    It is on the safe side where samples are few for the features: 5 % too large for 200 samples of
    10 Gaussian features, 9 % for 100 of 10, 32 % for 64 of 64.

    Parameters
    ----------
    initial, final
        Activations as for `cka`, of 5 samples or more.

    Raises
    ------
    ValueError
        If the numbers of samples differ, or are too few.
    UndefinedError
        As for `cka`, also without any one of the samples.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 10))
    >>> found = cka_estimate(x, x + np.random.default_rng(1).standard_normal((200, 10)))
    >>> round(found.value, 2), round(found.standard_error, 2)
    (0.51, 0.02)
    """
    x, y = _activations(initial, final)
    rows, floors = _between(x, y, least=5)
    n, whole = len(x), rows.sum(axis=1)
    value = float(_cosines(whole, floors))
    without = _cosines(whole[:, None] - 2 * (n - 2) / (n - 3) * rows, floors)
    spread = float(np.sum((without - np.mean(without)) ** 2))
    return Estimate(value, float(np.sqrt((n - 1) / n * spread)))


def _activations(initial: ArrayLike, final: ArrayLike) -> tuple[Array, Array]:
    x, y = _centred(initial, "initial"), _centred(final, "final")
    if len(x) != len(y):
        raise ValueError(
            f"initial and final must have one row per sample each; they have {len(x)} and {len(y)}"
        )
    return x, y


def _centred(value: ArrayLike, name: str) -> Array:
    """Activations minus their mean over samples, the largest about 1.

    The first sample is subtracted before: what is constant is 0 then, and what varies a little
    about a large mean keeps its digits.
    """
    h = real_array(value, name, ndim=2)
    h /= unit_of([h]) or 1.0
    known = _CONSTANT * rounding.of(value) * np.abs(h).max(axis=0)
    h -= h[0].copy()
    h[:, np.abs(h).max(axis=0) <= known] = 0.0
    h /= unit_of([h]) or 1.0
    if not np.any(h):
        raise UndefinedError(f"CKA is 0/0: the activations of {name} are the same for every sample")
    return np.asarray(h - h.mean(axis=0))


def _between(x: Array, y: Array, least: int) -> tuple[Array, Array]:
    """Rows' sums of A o B, A o A and B o B, (3, n), A and B the U-centred Gram matrices.

    Beside them, (2,), what of the sums of A o A and B o B may be rounding. A_ij is
    x_i x_j + f_i + f_j off the diagonal, of centred x, and 0 on it.
    """
    n = len(x)
    if n < least:
        raise ValueError(f"debiased CKA needs {least} samples or more here; there are {n}")
    squares = [np.sum(h**2, axis=1) for h in (x, y)]
    shifts = [q / (n - 2) - np.sum(q) / (2 * (n - 1) * (n - 2)) for q in squares]
    if n > max(x.shape[1], y.shape[1]):
        # A = U V', so that sum_j A_ij B_ij = u_i' (V_A' V_B) u_i less the diagonal: no n x n matrix
        ones = np.ones(n)
        left = [np.column_stack([h, f, ones]) for h, f in zip((x, y), shifts, strict=True)]
        right = [np.column_stack([h, ones, f]) for h, f in zip((x, y), shifts, strict=True)]
        diagonals = [q + 2 * f for q, f in zip(squares, shifts, strict=True)]

        def rows(a: int, b: int) -> Array:
            product = left[a] @ (right[a].T @ right[b])
            return np.asarray(np.sum(product * left[b], axis=1) - diagonals[a] * diagonals[b])
    else:
        grams = [h @ h.T + f[:, None] + f for h, f in zip((x, y), shifts, strict=True)]
        for gram in grams:
            np.fill_diagonal(gram, 0.0)

        def rows(a: int, b: int) -> Array:
            return np.asarray(np.sum(grams[a] * grams[b], axis=1))

    floors = _LONELY * np.array([np.sum(q**2) for q in squares])
    return np.array([rows(0, 1), rows(0, 0), rows(1, 1)]), floors


def _cosines(sums: Array, floors: Array) -> Array:
    """<A, B> / (||A|| ||B||) of the three sums in front, over any further axis."""
    cross, *own = sums
    for name, square, floor in zip(("initial", "final"), own, floors, strict=True):
        if np.any(square <= floor):
            raise UndefinedError(
                f"debiased CKA is 0/0: but for rounding, the activations of {name} differ in one "
                "sample alone, or would without another"
            )
    return np.asarray(np.clip(cross / (np.sqrt(own[0]) * np.sqrt(own[1])), -1.0, 1.0))


class ChangeRank(NamedTuple):
    """Effective ranks of a change of weights, as `richlazy.spectrum.effective_rank` has them."""

    participation: float
    stable: float
    entropy: float
    numerical: int  #: above the rounding of the weights; 0 where all of the change is within it


def change_rank(
    initial: ArrayLike, final: ArrayLike, *, precision: PrecisionLike = None
) -> ChangeRank:
    """Effective ranks of W_t - W_0 of one matrix: how many directions learning has moved.

    The numerical rank counts singular values above max(n eps s_1, u ||W||_F), W the larger of the
    two entry by entry: a change is known no better than the weights, whose entries are known to u
    of themselves. The other three are those of the change as it is, rounding included.

    Parameters
    ----------
    initial, final
        One weight matrix before and after training.
    precision
        What the weights are known to, as a dtype or relative number; by default what the coarser
        of their dtypes says.

    Raises
    ------
    UndefinedError
        If nothing has changed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> before = rng.standard_normal((30, 20))
    >>> after = before + np.outer(rng.standard_normal(30), rng.standard_normal(20))
    >>> found = change_rank(before, after)
    >>> round(found.participation, 6), found.numerical
    (1.0, 1)
    """
    u = max(rounding.of(value, precision) for value in (initial, final))
    before, after = real_array(initial, "initial", ndim=2), real_array(final, "final", ndim=2)
    if before.shape != after.shape:
        raise ValueError(
            f"initial and final must have the same shape; they are {before.shape} and {after.shape}"
        )
    unit = unit_of([before, after]) or 1.0
    before, after = before / unit, after / unit
    moved, size = after - before, np.maximum(np.abs(before), np.abs(after))
    largest = unit_of([moved])
    if largest == 0:
        raise UndefinedError("the rank of the change is 0/0: the weights have not changed")
    values = _singular_values(moved / largest)
    participation, stable, entropy = (spectrum.effective_rank(values, k) for k in _SCALE_FREE)
    values *= largest
    if rounding.graded(size):  # a small unit is no rounding: rank is judged with all of one size
        factor = rounding.equilibrated(size) / np.where(size > 0, size, 1.0)
        values, size = _singular_values(moved * factor), size * factor
    floor = max(rounding.cutoff(values, moved.shape), u * float(np.linalg.norm(size)))
    above = int(np.count_nonzero(values > floor))
    return ChangeRank(participation, stable, entropy, numerical=above)


def _singular_values(matrix: Array) -> Array:
    return np.asarray(np.linalg.svd(matrix, compute_uv=False))
