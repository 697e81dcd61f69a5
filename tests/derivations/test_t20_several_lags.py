"""T20 on tasks at several lags: what its claims say is what sampled tasks and the library have."""

from __future__ import annotations

import numpy as np
import pytest

from derivations import load
from derivations.t20_typical_start.several_lags import FORMULAS
from richlazy.formulas import recurrent_limits

T20 = load("T20")


def test_they_are_among_the_claims():
    assert FORMULAS.items() <= T20.formulas.items()


@pytest.mark.parametrize("rank", [1, 2, 7])
def test_the_library_has_the_same_lags(rank):
    assert recurrent_limits.lags(rank) == int(T20.evaluate("lags_learned", r=rank))


def test_means_of_quartic_forms_over_random_tasks():
    tasks = np.random.default_rng(0).standard_normal((200_000, 3))
    tasks *= 0.7 / np.linalg.norm(tasks, axis=1, keepdims=True)
    given = {"T": 3, "rho": 0.7}
    for name, sample in (
        ("mean_square_pair", tasks[:, 0] ** 2 * tasks[:, 1] ** 2),
        ("mean_fourth", tasks[:, 0] ** 4),
    ):
        error = sample.std() / len(tasks) ** 0.5
        assert abs(sample.mean() - float(T20.evaluate(name, **given))) < 4 * error, name
