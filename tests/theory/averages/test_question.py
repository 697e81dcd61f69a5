"""What `expect` makes of a question before it looks for an answer."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import expect, spectrum
from richlazy.averages.question import asked
from richlazy.two_layer.routes.certificate import first_order


def question(s, inputs, *, outputs=1, strength=1.0, alignment=None, tasks=None):
    return asked(s, inputs, outputs, strength, alignment, None, np.inf, None, tasks, None)


@pytest.mark.parametrize(
    ("values", "norm", "tasks"),
    [(24, 1.0, 200), (24, 35.0, 50), (8, 35.0, 200), (120, 1.0, 200), (120, 120.0, 50)],
)
def test_fewer_tasks_are_drawn_where_one_needs_a_long_chain(values, norm, tasks):
    found = expect(spectrum.power_law(values, 0.3, norm=norm), values, t=1.0)
    assert (found.method.startswith(f"sample of {tasks} "), found.tasks) == (True, tasks)


def test_how_many_tasks_are_drawn_follows_the_norm_in_units_of_the_task():
    few, many = spectrum.power_law(99, 0.5), spectrum.power_law(100, 0.5)
    for s, several in ((few, 200), (many, 20)):  # with the inputs outside 100 and 101 values
        assert question(s, 120).tasks == 200
        assert question(s, 120, outputs=2).tasks == several
        assert question(9.0 * s, 120).tasks == 50
        assert question(9.0 * s, 120, strength=81.0).tasks == 200
        assert question(9.0 * s, 120, outputs=2, tasks=7).tasks == 7
    # a chain is as long as the values at most, and called long from the same length on
    longest = [question(100.0 * np.arange(1.0 + n, 1.0, -1.0), n).tasks for n in range(1, 40)]
    assert longest == [200] * longest.count(200) + [50] * longest.count(50)
    assert longest.count(200) == max(
        first_order(k, 1.0)
        for k in np.linspace(0.1, 20.0, 200)
        if question(np.linspace(k, 0.9 * k, 60), 60).tasks == 200
    )


def test_at_full_rank_an_alignment_is_one_to_rounding():
    s = [2.0, 1.0]
    for c in (1.0, np.nextafter(1.0, 0.0)):
        assert question(s, 2, alignment=c).alignment == 1.0
    with pytest.raises(ValueError, match="alignment must be 1 where rank = inputs"):
        question(s, 2, alignment=1.0 - 1e-9)
    assert question(s, 3, alignment=1.0 - 1e-9).alignment == 1.0 - 1e-9


@pytest.mark.parametrize("count", [4, 100])
def test_a_chain_is_called_stiff_where_it_goes_on_nearly_to_its_end(count):
    """Its guess of the order beyond a third of the values, or of 30 where there are fewer."""
    start, end = np.linspace(1.1, 1.0, count), max(count, 30)
    scales = np.geomspace(0.1, 100.0, 301)
    found = [question(k * start, count).stiff for k in scales]
    assert found == [3 * first_order(1.1 * k, 1.0) > end for k in scales]
    assert (found[0], found[-1]) == (False, True)
    assert found == [question(2 * k * start, count, strength=4.0).stiff for k in scales]
