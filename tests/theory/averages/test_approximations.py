"""The law states how far it is from a better one, and from where on that is too far."""

from __future__ import annotations

import re

import numpy as np
import pytest

from richlazy import expect, low_rank, spectrum
from richlazy.averages.random_tasks import grouped, typical_chain
from richlazy.laziness import Measures
from richlazy.two_layer.routes.certificate import certified


def stated(s, inputs):
    """What the law says of itself: differences in KA, RA and ||dW||, and whether it is inside."""
    words = expect(s, inputs, method="law").accuracy
    ka, ra, change = re.search(r"by (\S+)% in KA, (\S+) in RA and (\S+)% in", words).groups()
    return float(ka) / 100, float(ra), float(change) / 100, "OUTSIDE" not in words


def test_the_law_states_how_far_the_second_order_is_from_the_first():
    """Of two singular values and full rank the second order is the typical task itself."""
    s = np.array([2.0, 0.3])
    typical = expect(s, 2, method="typical")
    two = {name: getattr(typical, name).mean for name in Measures._fields}
    chain = typical_chain(grouped(s, 2), 1.0)
    chain.grow(1)
    one = certified(chain.reduced(1), np.array([np.inf]))[0]
    gap = {name: abs(float(getattr(one, name)[0, 0]) - two[name]) for name in two}
    ka, ra, change, inside = stated(s, 2)
    assert ka == pytest.approx(gap["kernel_alignment"] / two["kernel_alignment"], abs=6e-4)
    assert ra == pytest.approx(gap["representation_alignment"], abs=6e-4)
    assert change == pytest.approx(gap["weight_change"] / two["weight_change"], abs=6e-4)
    assert not inside
    ratio = spectrum.effective_rank(s)  # the weight change of the first order is the law's
    law = low_rank.measures(ratio, 2, alignment=ratio / 2, norm=float(np.linalg.norm(s)))
    assert float(one.weight_change[0, 0]) == pytest.approx(law.weight_change, rel=1e-7)


def test_the_law_is_inside_its_domain_where_every_difference_is_below_two_percent():
    found = [stated(spectrum.power_law(8, exponent), 12) for exponent in (0.3, 0.4, 0.8)]
    for *gaps, inside in found:
        assert inside == (max(gaps) < 0.02)
        assert abs(max(gaps) - 0.02) > 6e-4  # as far as they are rounded
    assert {inside for *_, inside in found} == {True, False}
