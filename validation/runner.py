"""Run the cases of studies on a pool, keep each as it finishes, and conclude."""

from __future__ import annotations

import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, NamedTuple

import numpy as np

from validation import load
from validation.pools import LostWorkerError, Pool, PoolError
from validation.store import Store
from validation.study import Arrays

__all__ = ["run"]


class _Job(NamedTuple):
    store: Store
    index: int


def run(
    missing: Sequence[tuple[Store, Sequence[int]]], pool: Pool, advance: Callable[[], None]
) -> Iterator[Store]:
    """Run these cases; yields each store as soon as all its cases have ended.

    A case that fails is recorded with its error and does not stop the others. Where a worker
    dies, those cases that it may have been running are run again, one at a time; one that takes
    its worker with it again has failed.

    Parameters
    ----------
    missing
        Stores, in the order of running, each with its cases that have no result.
    pool
        Entered.
    advance
        Called after each case.
    """
    waiting = deque(_Job(store, index) for store, indices in missing for index in indices)
    left = Counter(job.store.folder for job in waiting)
    yield from (store for store, _ in missing if not left[store.folder])
    suspects: deque[_Job] = deque()  # were there when a worker died
    running: dict[Future[Any], _Job] = {}
    broken = alone = False
    while waiting or suspects or running:
        if broken and not running:
            pool.renew()
            broken = False
        if not running:
            alone = bool(suspects)
        if alone and not running:
            job = suspects.popleft()
            running[_submit(pool, job)] = job
        while waiting and not (broken or alone or suspects) and len(running) < 2 * pool.size:
            job = waiting.popleft()
            running[_submit(pool, job)] = job
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            job = running.pop(future)
            found, error = _outcome(pool, future)
            if isinstance(error, LostWorkerError):
                broken = True
                if not alone:
                    suspects.append(job)
                    continue
            if error is None:
                job.store.put(job.index, found)
            else:
                job.store.fail(job.index, "".join(traceback.format_exception(error)))
            advance()
            left[job.store.folder] -= 1
            if not left[job.store.folder]:
                yield job.store


def _outcome(pool: Pool, future: Future[Any]) -> tuple[Arrays, Exception | None]:
    try:
        return pool.result(future), None
    except PoolError:
        raise
    except Exception as error:  # whatever a case may raise is its own failure
        return {}, error


def _submit(pool: Pool, job: _Job) -> Future[Any]:
    return pool.submit(_simulate, job.store.study.name, job.store.cases[job.index])


def _simulate(name: str, case: Any) -> Arrays:
    found = load(name).simulate(case)
    if objects := [key for key, values in found.items() if np.asarray(values).dtype.hasobject]:
        raise TypeError(f"{', '.join(objects)} must be numbers: objects cannot be kept as data")
    return found
