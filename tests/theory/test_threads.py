"""One BLAS thread where matrices are small, and as many as before when all have left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  # which brings a BLAS of its own
from threadpoolctl import threadpool_info, threadpool_limits

from richlazy import recurrent, spectrum
from richlazy.integration import march
from richlazy.threads import alone


def blas():
    """Threads of every BLAS there is."""
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


@pytest.fixture
def two():
    """Two threads of BLAS, where the machine has them."""
    with threadpool_limits(2, user_api="blas"):
        yield blas()


def test_one_inside_and_as_before_outside(two):
    with alone(50):
        assert set(blas()) == {1}
        with alone(50):
            assert set(blas()) == {1}
        assert set(blas()) == {1}
    assert blas() == two


def test_large_matrices_keep_theirs(two):
    with alone(2000):
        assert blas() == two


def test_an_error_gives_them_back(two):
    with pytest.raises(ValueError, match="mine"), alone():
        raise ValueError("mine")
    assert blas() == two


def test_threads_that_come_and_go_give_them_back(two):
    def asked(times):
        for _ in range(times):
            with alone():
                np.linalg.svd(np.eye(20))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(asked, range(1, 60)))
    assert blas() == two


def test_flows_and_averages_take_one(two, monkeypatch):
    seen = []
    monkeypatch.setattr(march, "_marched", lambda *_: seen.append(set(blas())) or iter(()))
    list(march.march(lambda _: None, [np.zeros((1, 3, 3))], np.array([1.0]), 1e-6))
    assert seen == [{1}]
    assert blas() == two


def test_an_average_gives_them_back(two):
    recurrent.expect(spectrum.flat(40, 4.0), 2, units=40, tasks=2)
    assert blas() == two
