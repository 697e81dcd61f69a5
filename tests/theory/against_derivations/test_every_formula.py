"""Where library and derivations meet: T6's functions against its claims at 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from richlazy import low_rank

CLAIMS = {
    "weight_change": ("weight_change_squared", 2),
    "weight_change_input": ("weight_change_1_squared", 2),
    "weight_change_readout": ("weight_change_2_squared", 2),
    "representation_alignment": ("representation_alignment", 1),
    "kernel_alignment": ("kernel_alignment", 1),
    "loss": ("loss", 1),
}
POINTS = [
    # sigma, r, d, c, g, t
    (1.0, 5, 100, 0.3, 1.0, 2.0),
    (0.3, 1, 7, 0.02, 2.5, 1.0),
    (3.0, 7, 7, 1.0, 0.4, 0.7),
    (0.05, 3, 40, 0.999999, 1.5, 3.0),
    (10.0, 2, 10, 0.458, 1.0, 0.05),
]


@pytest.fixture(scope="module")
def t6():
    return load("T6")


def relative(found, claim, power):
    wanted = mpmath.root(claim, power)
    return float(abs(mpmath.mpf(float(found)) - wanted) / abs(wanted))


@pytest.mark.parametrize("measure", CLAIMS)
@pytest.mark.parametrize("point", POINTS)
def test_finite_times(t6, agreement, measure, point):
    sigma, r, d, c, g, t = point
    claim, power = CLAIMS[measure]
    values = dict(zip(("sigma", "r", "d", "c", "g", "t"), point, strict=True))
    # twice the digits: the plain claims cancel, which is why the library does not evaluate them
    exact = t6.evaluate(claim, digits=100, **values)
    found = low_rank.measures(r, d, alignment=c, norm=sigma, strength=g, t=t)
    error = relative(getattr(found, measure), exact, power)
    assert agreement(f"T6 {claim}", error) < 1e-13


@pytest.mark.parametrize("measure", [m for m in CLAIMS if m != "loss"])
@pytest.mark.parametrize("sigma", [1e-6, 1e-2, 1.0, 1e2, 1e6])
@pytest.mark.parametrize("c", [1e-6, 0.3, 0.999999])
def test_the_end(t6, agreement, measure, sigma, c):
    claim, power = CLAIMS[measure]
    exact = t6.evaluate(f"{claim}_final", digits=100, sigma=sigma, r=5, d=60, c=c, g=1.3)
    found = low_rank.measures(5, 60, alignment=c, norm=sigma, strength=1.3, t=np.inf)
    error = relative(getattr(found, measure), exact, power)
    assert agreement(f"T6 {claim}_final", error) < 1e-13
