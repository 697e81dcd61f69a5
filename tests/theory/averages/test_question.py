"""What `expect` is asked: how many tasks it draws where it is not told."""

import pytest

from richlazy import expect, spectrum


@pytest.mark.parametrize(
    ("values", "norm", "tasks"),
    [(24, 1.0, 200), (24, 35.0, 50), (8, 35.0, 200), (120, 1.0, 200), (120, 120.0, 50)],
)
def test_fewer_tasks_are_drawn_where_one_needs_a_long_chain(values, norm, tasks):
    found = expect(spectrum.power_law(values, 0.3, norm=norm), values, t=1.0)
    assert (found.method.startswith(f"sample of {tasks} "), found.tasks) == (True, tasks)
