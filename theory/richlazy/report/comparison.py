"""How a start differs from its controls, draw by draw, and whether that may be chance."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVEL", "Comparison", "compared", "own_name"]

Array = NDArray[np.float64]

#: Adjusted p-value below which a difference is called one.
LEVEL = 0.05
_ROUNDING = 1e-9  # relative: differences that are no more than the flow's own


@dataclass(frozen=True)
class Comparison:
    """One measure of a start and of one of its controls, over pairs of draws.

    Attributes
    ----------
    control, measure : str
        What with, and in what.
    mine, theirs : float
        Means over the draws.
    difference : float
        Mean of mine minus theirs.
    effect : float
        The difference over its standard deviation from draw to draw (Cohen's d of pairs); 0 where
        no pair differs.
    p, adjusted : float
        Of a paired t test, two-sided; adjusted for the number of comparisons of the report by the
        false discovery rate (Benjamini and Hochberg 1995).
    """

    control: str
    measure: str
    mine: float
    theirs: float
    difference: float
    effect: float
    p: float
    adjusted: float

    @property
    def differs(self) -> bool:
        """Whether chance is an unlikely cause."""
        return self.adjusted < LEVEL


def own_name(name: str, controls: Collection[str]) -> str:
    """The name of what is reported on, told apart from its controls: names are their keys.

    Examples
    --------
    >>> own_name("worm", ["Gaussian"]), own_name("Gaussian", ["Gaussian"])
    ('worm', 'Gaussian (the input)')
    """
    return f"{name} (the input)" if name in controls else name


def compared(
    mine: Mapping[str, Array], controls: Mapping[str, Mapping[str, Array]]
) -> tuple[Comparison, ...]:
    """Every measure against every control; pairs in which one is undefined (NaN) are left out.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> own, noise = rng.normal(0.5, 0.1, 20), rng.normal(0.0, 0.01, (2, 20))
    >>> others = {"a": {"KA": own + noise[0]}, "b": {"KA": own - 0.1 + noise[1]}}
    >>> found = compared({"KA": own}, others)
    >>> [(one.control, one.differs, round(one.difference, 1) + 0.0) for one in found]
    [('a', False, 0.0), ('b', True, 0.1)]
    """
    from scipy.stats import false_discovery_control

    found = [
        _tested(control, measure, values, theirs[measure])
        for control, theirs in controls.items()
        for measure, values in mine.items()
    ]
    if not found:
        return ()
    adjusted = false_discovery_control([test[-1] for test in found])
    return tuple(Comparison(*test, float(p)) for test, p in zip(found, adjusted, strict=True))


def _tested(
    control: str, measure: str, mine: Array, theirs: Array
) -> tuple[str, str, float, float, float, float, float]:
    from scipy.stats import t

    kept = ~(np.isnan(mine) | np.isnan(theirs))
    a, b = mine[kept], theirs[kept]
    if a.size < 2:
        return control, measure, np.nan, np.nan, np.nan, 0.0, 1.0
    gap = a - b
    mean, sd = float(gap.mean()), float(gap.std(ddof=1))
    size = _ROUNDING * float(max(np.abs(a).max(), np.abs(b).max()))
    if max(abs(mean), sd) <= size:  # the same but for rounding: no test has anything to say
        return control, measure, float(a.mean()), float(b.mean()), mean, 0.0, 1.0
    # every pair differs alike: as sure as the rounding of their difference
    effect = mean / max(sd, size)
    p = 2.0 * float(t.sf(abs(effect) * np.sqrt(gap.size), gap.size - 1))
    return control, measure, float(a.mean()), float(b.mean()), mean, effect, p
