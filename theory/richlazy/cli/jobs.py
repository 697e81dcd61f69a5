"""Processes that share the cases of a command, and end with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["processes"]

_MOMENT = 0.2  # seconds


@contextlib.contextmanager
def processes(jobs: int) -> Iterator[Executor | None]:
    """An executor of so many processes; None, this one, where one is enough.

    Whatever ends the block ends them too: what they are at is lost, what they have found is not.
    """
    if jobs == 1:
        yield None
        return
    import multiprocessing
    import time
    from concurrent.futures import ProcessPoolExecutor

    # spawn: a fork would take over what BLAS and other threads hold
    executor = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        yield executor
        executor.shutdown()
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        # let it drop what was cancelled first: Python 3.11 stumbles over that where workers die
        time.sleep(_MOMENT)
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise


def _begin() -> None:
    """Leave interrupts to the command, and do not outlive it."""
    import multiprocessing
    import os
    import signal
    import threading

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    command = multiprocessing.parent_process()
    assert command is not None

    def follow() -> None:
        command.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
