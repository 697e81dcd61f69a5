"""Records of averages in words and plain values."""

from __future__ import annotations

import pytest

from richlazy import expect


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_outputs_of_sampled_tasks_are_counted_in_words(outputs):
    words = "one output" if outputs == 1 else f"{outputs} outputs of equal strength"
    found = expect([2.0, 1.0, 0.5], 4, outputs=outputs, method="sample", tasks=2, t=0.5)
    assert words.replace("one", "1") in found.assumptions
