"""Tasks drawn stack by stack are the tasks drawn at once."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse as sp

from richlazy import expect
from richlazy.averages import sampling
from richlazy.laziness import Measures
from richlazy.start import matrices


def order_and_error(found):
    order = re.fullmatch(r"sample of \d+ tasks by krylov \(T15\), k=(\d+)", found.method)
    error = re.fullmatch(r"standard errors from 11 tasks; numerical error (\S+)", found.accuracy)
    return int(order[1]), float(error[1])


@pytest.mark.parametrize("products", [False, True])
def test_a_sample_in_stacks_is_the_sample_at_once(monkeypatch, products):
    start = np.random.default_rng(1).standard_normal((12, 16)) / 8.0
    if products:
        monkeypatch.setattr(matrices, "DENSE_LIMIT", 5)
        start = sp.csr_array(start)
    whole = expect(start, method="sample", tasks=11)
    size = 16 if products else 13  # numbers in the vector of one task
    monkeypatch.setattr(sampling, "_STACK", 4 * size)
    parts = []
    monkeypatch.setattr(sampling, "spread_over_orders", spied(sampling.spread_over_orders, parts))
    some = expect(start, method="sample", tasks=11)
    assert [found.loss.size for found, *_ in parts] == [4, 4, 3]
    for name in Measures._fields:
        one, other = getattr(whole, name), getattr(some, name)
        assert other.mean == pytest.approx(one.mean, rel=1e-7)
        assert other.sd == pytest.approx(one.sd, rel=1e-6)
    order, error = order_and_error(some)
    assert order == max(reduced.problem.first.shape[1] for _, reduced, _ in parts)
    assert error == pytest.approx(max(gap.relative for *_, gap in parts), rel=0.06)


@pytest.mark.parametrize("outputs", [1, 2])
def test_later_stacks_begin_with_the_order_that_earlier_ones_needed(monkeypatch, outputs):
    s = np.arange(1.0, 201.0) ** -0.5
    seen, calls, real = [], [], sampling.spread_over_orders

    def call(chain, at, rtol, begin, finely):
        calls.append((len(chain.lengths), begin))
        seen.append(real(chain, at, rtol, begin, finely))
        return seen[-1]

    monkeypatch.setattr(sampling, "spread_over_orders", call)
    found = expect(s, 220, norm=8.0, outputs=outputs, tasks=60)
    sizes, begins = zip(*calls, strict=True)
    assert sum(sizes) == 60
    assert len(sizes) > 1
    if outputs == 1:
        assert sizes == (8, 52)
        assert begins[0] is None
    orders = np.array([small.problem.first.shape[1] // outputs for _, small, _ in seen])
    assert all(gap.relative < 1e-6 for *_, gap in seen)
    assert begins[1:] == tuple(np.maximum.accumulate(orders)[:-1])
    assert f"k={outputs * orders.max()}" in found.method
    # an order that the integration made them ask for helps no other
    seen.clear()
    calls.clear()
    monkeypatch.setattr(sampling, "_AGREED", 0.0)
    expect(s, 220, norm=8.0, outputs=outputs, tasks=60)
    assert len({begin for _, begin in calls}) == 1


def spied(real, seen):
    """A function that keeps what it returns."""

    def call(*args, **keywords):
        seen.append(real(*args, **keywords))
        return seen[-1]

    return call
