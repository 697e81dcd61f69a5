"""T6, T7, T9: a flat start of rank r with a silent readout learning one output, in closed form.

W1(0) = (sigma/sqrt(r)) U V', W2(0) = 0; norm sigma = ||W1(0)||_F, task vector of length
`strength`, c = `alignment` its squared share inside the row space of W1(0). Everything is
elementwise over broadcast arrays; time is learning rate x steps, infinity is allowed.

The rank may be any real number >= 1: the participation-ratio law (T15) puts the
participation ratio of a general spectrum in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError, counts, positive, real_array, times, unit_interval
from richlazy.formulas import neuron
from richlazy.formulas.elementwise import blocked
from richlazy.laziness import Measures

__all__ = [
    "Expectation",
    "check_scale",
    "expected",
    "lazy_limit",
    "mean_cosine",
    "measures",
    "quantile",
]

Array = NDArray[np.float64]

#: Values of an integrand at a time: half a dozen arrays of them stay in the cache.
_NODES = 16384


def measures(
    rank: ArrayLike,
    inputs: ArrayLike,
    *,
    alignment: ArrayLike,
    norm: ArrayLike = 1.0,
    strength: ArrayLike = 1.0,
    t: ArrayLike = np.inf,
) -> Measures:
    """All laziness measures of T6, one output, at time t (Liu et al. 2024 define the setting).

    At t = infinity, with s^2 = sigma^2/r, mu^2 = (s^2 + sqrt(s^4 + 4 |beta|^2))/2 and
    alpha^2 = mu^2 - s^2: ||dW||^2 = 2 mu (mu - s sqrt(c)), RA = [s^2 (r-1) + mu^2 c] /
    (sqrt(r) sqrt(s^4 (r-1) + mu^4)), and KA the same with the readout's alpha^2. Target alignment
    (mu^2 + alpha^2) / ||K|| does not depend on c and falls as the rank grows (T21).

    Parameters
    ----------
    rank, inputs, alignment, norm, strength, t
        Broadcast together. 1 <= rank <= inputs, 0 <= alignment <= 1 (exactly 1 at rank =
        inputs), norm and strength > 0, t >= 0. At alignment 0 nothing is ever learned.

    Returns
    -------
    Measures
        Arrays of the broadcast shape; relative error of each below 1e-12.

    Raises
    ------
    ValueError
        For values outside these ranges.

    Examples
    --------
    >>> m = measures(5, 100, alignment=0.3)
    >>> [round(float(v), 6) for v in (m.weight_change, m.kernel_alignment)]
    [1.301923, 0.271628]
    """
    r, d = _ranks(rank, inputs)
    c = unit_interval(alignment, "alignment")
    if np.any((r == d) & (c < 1)):
        raise ValueError("alignment must be 1 where rank = inputs: no direction lies outside")
    sigma, g = positive(norm, "norm"), positive(strength, "strength")
    check_scale(sigma, g, r)
    return Measures(*blocked(_measures, r, d, c, sigma, g, times(t)))


def _measures(r: Array, d: Array, c: Array, sigma: Array, g: Array, t: Array) -> tuple[Array, ...]:
    start = sigma / np.sqrt(r)
    state = neuron.trajectory(start * start / g, c, g * t)
    change1 = start * np.hypot(state.change_parallel, state.change_orthogonal)
    change2 = start * state.readout
    frozen = r - 1.0  # directions that keep s^2, in units of which the traces are
    readout = state.readout**2
    traces = frozen + state.overlap**2
    square = frozen + state.norm_squared**2
    cross = 2.0 * readout * (frozen + state.norm_squared)
    root = np.sqrt(r)
    ra = traces / (root * np.sqrt(square))
    kernel = np.sqrt(square + cross + d * readout**2)
    ka = (traces + readout * r) / (root * kernel)
    ta = (state.parallel**2 + readout) / kernel
    loss = 0.5 * (g * np.hypot(state.residual_parallel, state.residual_orthogonal)) ** 2
    return (
        np.hypot(change1, change2),
        change1,
        change2,
        np.minimum(ra, 1.0),
        np.minimum(ka, 1.0),
        np.minimum(ta, 1.0),
        loss,
    )


@dataclass(eq=False)
class Expectation:
    """Mean and standard deviation of every measure over uniformly random task directions (T7)."""

    mean: Measures
    sd: Measures


def expected(
    rank: ArrayLike,
    inputs: ArrayLike,
    *,
    norm: ArrayLike = 1.0,
    strength: ArrayLike = 1.0,
    t: ArrayLike = np.inf,
) -> Expectation:
    """Mean and standard deviation of `measures` over c ~ Beta(r/2, (d-r)/2) (T7).

    At t = infinity RA and KA are linear in c and target alignment does not depend on it, so their
    moments are exact: E c = r/d, Var c = 2 r (d-r) / (d^2 (d+2)). The rest is integrated over the
    Beta law by the trapezoidal rule in log(c/(1-c)), where the integrand is analytic and decays
    exponentially both ways, to rounding; a mean loss to 1e-16 of its start, since late in
    training it hangs on the rare tasks that have hardly begun.

    Examples
    --------
    >>> round(float(expected(5, 100, norm=1.0).mean.kernel_alignment), 4)
    0.2584
    """
    r, d = _ranks(rank, inputs)
    sigma, g = positive(norm, "norm"), positive(strength, "strength")
    check_scale(sigma, g, r)
    r, d, sigma, g, time = np.broadcast_arrays(r, d, sigma, g, times(t))
    shape = r.shape
    r, d, sigma, g, time = (np.ravel(a) for a in (r, d, sigma, g, time))
    final = np.isinf(time)
    mean, sd = np.empty((2, len(Measures._fields), r.size))
    # the law of c is that of rank and inputs alone, which many cells of a map share
    laws, law = np.unique(r + 1j * d, return_inverse=True)
    for known, c, weight in _beta_rule(laws.real, laws.imag):
        row = np.full(laws.size, -1)
        row[known] = np.arange(known.size)
        row = row[law]
        for chosen, moments in ((final, _final_moments), (~final, _moments_at)):
            cells = np.flatnonzero((row >= 0) & chosen)
            if cells.size:
                given = (a[cells] for a in (r, d, sigma, g, time))
                moments(mean, sd, cells, row[cells], c, weight, *given)
    return Expectation(*(Measures(*(v.reshape(shape) for v in a)) for a in (mean, sd)))


def _moments(values: Iterable[Array], weight: Array) -> Iterator[tuple[Array, Array]]:
    """Mean and standard deviation of every value over the nodes."""
    for value in values:
        average = np.vecdot(weight, value)
        away = value - average[:, None]
        away *= away
        yield average, np.sqrt(np.vecdot(weight, away))


def _blocks(cells: int, nodes: int) -> Iterator[slice]:
    """Cells in parts whose integrands stay in the cache."""
    size = max(_NODES // nodes, 1)
    return (slice(begin, begin + size) for begin in range(0, cells, size))


def _moments_at(
    mean: Array,
    sd: Array,
    cells: NDArray[np.intp],
    row: NDArray[np.intp],
    c: Array,
    weight: Array,
    r: Array,
    d: Array,
    sigma: Array,
    g: Array,
    time: Array,
) -> None:
    columns = [a[:, None] for a in (r, d, sigma, g, time)]
    for block in _blocks(cells.size, c.shape[1]):
        rank, size, *rest = (a[block] for a in columns)
        values = blocked(_measures, rank, size, c[row[block]], *rest)
        for k, found in enumerate(_moments(values, weight[row[block]])):
            mean[k, cells[block]], sd[k, cells[block]] = found


def _final_moments(
    mean: Array,
    sd: Array,
    cells: NDArray[np.intp],
    row: NDArray[np.intp],
    c: Array,
    weight: Array,
    r: Array,
    d: Array,
    sigma: Array,
    g: Array,
    time: Array,
) -> None:
    one, share = np.ones_like(r), r / d
    at_mean = blocked(_measures, r, d, share, sigma, g, time)
    # slope of RA and KA in c: they differ between c = 0 and c = 1 by the overlap alone
    spread = np.sqrt(2.0 * r * (d - r) / (d**2 * (d + 2.0)))
    start = sigma / np.sqrt(r)
    limit = blocked(_measures, r, d, one, sigma, g, time)
    unit = neuron.Neuron(*blocked(neuron.trajectory, start**2 / g, one, time))
    for k in (3, 4):
        top = r - 1.0 + unit.norm_squared + (unit.readout**2 * r if k == 4 else 0.0)
        mean[k, cells] = at_mean[k]
        sd[k, cells] = limit[k] * (unit.norm_squared / top) * spread
    mean[2, cells], sd[2, cells] = start * unit.readout, 0.0
    mean[5, cells], sd[5, cells] = at_mean[5], 0.0  # T21: the same for every task
    mean[6, cells], sd[6, cells] = 0.0, 0.0
    # ||dW||^2 = 2 mu (mu - s sqrt(c)), ||dW1||^2 = (mu - s)^2 + 2 mu s (1 - sqrt(c))
    mu = start * np.sqrt(unit.norm_squared)
    gap = start * unit.change_parallel  # mu - s without cancellation
    away = (1.0 - c) / (1.0 + np.sqrt(c))
    rate, aligned = 2.0 * mu * start, (2.0 * mu * gap, gap * gap)
    for block in _blocks(cells.size, c.shape[1]):
        rest = rate[block, None] * away[row[block]]
        values = (np.sqrt(least[block, None] + rest) for least in aligned)
        for k, found in enumerate(_moments(values, weight[row[block]])):
            mean[k, cells[block]], sd[k, cells[block]] = found


def _beta_rule(r: Array, d: Array) -> list[tuple[NDArray[np.intp], Array, Array]]:
    """Nodes c and weights of the mean over Beta(r/2, (d-r)/2), cases grouped by node count.

    In u = log(c/(1-c)) the density is exp(a u)/(1+e^u)^(a+b), a = r/2, b = (d-r)/2. The
    trapezoidal rule of step h errs by its Fourier transform at 2 pi/h, which is
    Gamma(a+iy) Gamma(b-iy)/(Gamma(a) Gamma(b)): exp(-pi y/2) for small a, a Gaussian of
    variance 1/a + 1/b for large ones. Beyond u = 40 every measure is constant to rounding;
    there the rest of the rule is a geometric series, which the last weight takes.
    """
    a, b = 0.5 * r, 0.5 * (d - r)
    inside = b > 0
    wide = np.maximum(b, 0.5)  # where the bulk ends, however slowly the right tail decays
    step = 2.0 * np.pi / (24.0 + np.sqrt(72.0 * a * wide / (a + wide)))
    mode = np.log(a / wide)
    spread = 9.0 * np.sqrt(1.0 / (a + 0.5) + 1.0 / (wide + 0.5))
    low = mode - spread - 38.0 / a
    high = np.minimum(mode + spread + 38.0 / np.where(inside, b, 1.0), 40.0)
    counts = np.where(inside, np.ceil((high - low) / step).astype(int) + 1, 1)
    groups = []
    for size in np.unique(np.ceil(np.log2(counts) * 2.0)):
        index = np.flatnonzero(np.ceil(np.log2(counts) * 2.0) == size)
        nodes = int(counts[index].max())
        u = np.linspace(low[index], high[index], nodes, axis=1)
        log_c, log_rest = -np.logaddexp(0.0, -u), -np.logaddexp(0.0, u)
        log_weight = a[index, None] * log_c + b[index, None] * log_rest
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        if nodes > 1:
            spacing = (high - low)[index] / (nodes - 1)
            weight[:, -1] /= -np.expm1(-np.where(inside[index], b[index], 1.0) * spacing)
        weight /= weight.sum(axis=1, keepdims=True)
        c = np.where(inside[index, None], np.exp(log_c), 1.0)
        groups.append((index, c, weight))
    return groups


def quantile(
    q: ArrayLike,
    rank: float,
    inputs: float,
    *,
    norm: float = 1.0,
    strength: float = 1.0,
    t: float = np.inf,
) -> Measures:
    """Quantiles of every measure over random tasks (T7), shape of q.

    At t = infinity every measure is monotone in c, so they are the measures at quantiles of
    the Beta law. At finite t they are not monotone: there the law of the measure is read
    off 4001 equally likely values of c, exact to 1/4001 in probability.
    """
    from scipy.special import betainccinv, betaincinv, betaln

    p, time = unit_interval(q, "q"), times(t, ndim=0)
    for name, value in (("rank", rank), ("inputs", inputs), ("norm", norm), ("strength", strength)):
        real_array(value, name, ndim=0)
    r, d = _ranks(rank, inputs)

    def at(alignment: ArrayLike) -> Measures:
        # at c = 0 itself, of probability 0, nothing is ever learned
        c = np.maximum(alignment, np.finfo(float).tiny)
        return measures(r, d, alignment=c, norm=norm, strength=strength, t=time)

    if r == d:
        return at(np.ones(p.shape))
    a, b = 0.5 * r, 0.5 * (d - r)
    if np.isinf(time):
        lower, upper = betaincinv(a, b, p), betainccinv(a, b, p)
        # SciPy has NaN for some p below 1e-100: there the law is a power of its distance from
        # the end, c = (p a B(a, b))^(1/a)
        small = np.log(np.where(p > 0, p, 1.0)) + betaln(a, b)
        lower = np.where(np.isnan(lower), np.exp((small + np.log(a)) / a), lower)
        upper = np.where(np.isnan(upper), -np.expm1((small + np.log(b)) / b), upper)
        rising, falling = at(lower), at(upper)
        return Measures(*falling[:3], *rising[3:])
    values = at(betaincinv(a, b, (np.arange(4001) + 0.5) / 4001))
    return Measures(*(np.quantile(v, p) for v in values))


def mean_cosine(rank: ArrayLike, inputs: ArrayLike) -> Array:
    """E sqrt(c) = G(r/2) / G(d/2), G(x) = Gamma(x + 1/2)/Gamma(x), for random tasks (T7).

    Gives E ||dW||^2 = 2 mu (mu - s E sqrt(c)) exactly.

    Examples
    --------
    >>> float(mean_cosine(2, 2)), round(float(mean_cosine(1, 1_000_000)) * 1000, 6)
    (1.0, 0.797885)
    """
    r, d = _ranks(rank, inputs)
    return np.asarray(_gamma_ratio(0.5 * r) / _gamma_ratio(0.5 * d))


def _gamma_ratio(x: Array) -> Array:
    """Gamma(x + 1/2)/Gamma(x): differences of gammaln lose 5e-10 at x = 5e5, this loses nothing."""
    shift = np.ones_like(x)
    for i in range(20):
        shift = shift * ((x + i) / (x + i + 0.5))
    v = 1.0 / (x + 19.75) ** 2  # about the centre x - 1/4 the expansion is even
    series = 1.0 + v * (1 / 64 + v * (-19 / 8192 + v * (631 / 524288 - v * 174317 / 134217728)))
    return shift * np.sqrt(x + 19.75) * series


def lazy_limit(rank: ArrayLike, alignment: ArrayLike) -> tuple[Array, Array]:
    """T9: as norm -> infinity, KA and RA -> 1 - (1-c)/r and ||dW||/s -> sqrt(2 (1 - sqrt c)).

    Returns
    -------
    alignment, weight_change
        The common limit of KA and RA, and of the weight change in units of s = sigma/sqrt(r).

    Examples
    --------
    >>> [float(v) for v in lazy_limit(4, 1.0)]
    [1.0, 0.0]
    """
    r, c = _rank(rank), unit_interval(alignment, "alignment")
    away = (1.0 - c) / (1.0 + np.sqrt(c))
    return (r - 1.0 + c) / r, np.sqrt(2.0 * away) + 0.0 * r


def _rank(rank: ArrayLike) -> Array:
    r = real_array(rank, "rank")
    if np.any(r < 1):
        raise ValueError(f"rank must be >= 1; its smallest value is {r.min():g}")
    return r


def _ranks(rank: ArrayLike, inputs: ArrayLike) -> tuple[Array, Array]:
    r, d = _rank(rank), counts(inputs, "inputs")
    if np.any(r > d):
        raise ValueError(f"rank must be at most inputs; it is up to {r.max():g} of {d.min():g}")
    return r, d


def check_scale(sigma: Array, g: Array, r: Array) -> None:
    """Refuse norms, strengths and ranks whose fourth powers leave the range of float64.

    Raises
    ------
    AssumptionError
        Naming the one that does.
    """
    low, high = np.log10(neuron.SCALE_RANGE)
    for name, exponent in (
        ("strength", np.log10(g)),
        ("norm^2 / (rank * strength)", 2 * np.log10(sigma) - np.log10(r) - np.log10(g)),
    ):
        outside = (exponent < low) | (exponent > high)
        if np.any(outside):
            raise AssumptionError(
                f"{name} must lie in [1e{low:.0f}, 1e{high:.0f}], the range in which float64 holds "
                f"its powers; it is about 1e{exponent[outside].flat[0]:.0f}; rescale"
            )
