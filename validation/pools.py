"""Where cases run: processes of this machine, or the workers of a dask cluster.

A pool is entered once for all studies; `submit` gives a `concurrent.futures.Future`. Every
worker has one BLAS thread (`__main__`, and what dask sets for its own), so that the numbers are
the same wherever a case runs.
"""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
import signal
import threading
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from validation.store import versions

__all__ = ["DaskPool", "LocalPool", "LostWorkerError", "Pool", "PoolError"]

_PATIENCE = 10  # seconds until a scheduler that does not answer is gone


class PoolError(Exception):
    """The pool cannot be reached, or is gone for good."""


class LostWorkerError(Exception):
    """A worker died, and with it the pool and all that it was running."""


class Pool:
    """What both kinds of pool do."""

    #: Cases that can run at the same time.
    size: int
    _executor: Executor

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a function on a worker."""
        raise NotImplementedError

    def result(self, future: Future[Any]) -> Any:
        """What a finished future holds.

        Raises
        ------
        LostWorkerError
            If a worker died and the pool must be renewed.
        PoolError
            If the pool is gone.
        Exception
            Whatever the function raised.
        """
        raise NotImplementedError

    def renew(self) -> None:
        """Make the pool usable again after a worker was lost."""

    def stop(self) -> None:
        """Stop at once, whatever is running."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class LocalPool(Pool):
    """Processes of this machine."""

    def __init__(self, jobs: int) -> None:
        self.size = jobs

    def __enter__(self) -> Self:
        self._start()
        return self

    def _start(self) -> None:
        # spawn: a fork would take over what BLAS and other threads hold
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(self.size, context, initializer=_begin)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        try:
            return self._executor.submit(function, *arguments)
        except BrokenProcessPool:
            broken: Future[Any] = Future()
            broken.set_exception(BrokenProcessPool("a worker died"))
            return broken

    def result(self, future: Future[Any]) -> Any:
        try:
            return future.result()
        except BrokenProcessPool:
            raise LostWorkerError("a worker process died (killed, or out of memory)") from None

    def renew(self) -> None:
        self._executor.shutdown(wait=True)
        self._start()

    def stop(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        for worker in multiprocessing.active_children():
            worker.terminate()


def _begin() -> None:
    """Leave interrupts to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


class DaskPool(Pool):
    """The workers of a dask scheduler, or of a cluster of this machine's own.

    The `validation` package, which is not installed, is sent to them on connecting. They must
    have our versions of what the numbers depend on, `packages` among it.
    """

    def __init__(
        self, address: str | None = None, jobs: int = 1, packages: Sequence[str] = ()
    ) -> None:
        self._address, self._jobs, self._packages = address, jobs, packages
        self._cluster: Any = None
        self._client: Any = None

    def __enter__(self) -> Self:
        try:
            from distributed import Client, LocalCluster
        except ModuleNotFoundError as error:
            raise PoolError(
                f"a cluster needs {error.name}: python -m pip install -e '.[cluster]'"
            ) from None
        address = self._address
        if address is None:
            self._cluster = LocalCluster(
                n_workers=self._jobs,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,  # a worker may miss its scheduler as both end
            )
            address = self._cluster.scheduler_address
        try:
            self._client = Client(address, timeout=_PATIENCE, set_as_default=False)
            _compare(self._client, versions(self._packages))
            with TemporaryDirectory() as folder:
                self._client.upload_file(_package(Path(folder)))
        except PoolError:
            self.stop()
            raise
        except (OSError, ValueError) as error:
            self.stop()
            raise PoolError(f"no dask scheduler answers at {address} ({error})") from None
        threads = self._client.nthreads().values()
        if not threads:
            self.stop()
            raise PoolError(f"the dask scheduler at {address} has no workers: start some first")
        self.size = sum(threads)
        self._executor = self._client.get_executor(pure=False, retries=1)
        return self

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return self._executor.submit(function, *arguments)

    def result(self, future: Future[Any]) -> Any:
        from distributed.comm import CommClosedError

        try:
            return future.result()  # the scheduler runs again what a lost worker was running
        except (CancelledError, CommClosedError):
            raise PoolError("the dask scheduler is gone") from None

    def stop(self) -> None:
        for part in (self._client, self._cluster):
            if part is not None:
                part.close(timeout=_PATIENCE)


def _compare(client: Any, ours: dict[str, str]) -> None:
    """Refuse workers with other versions, and make them forget an earlier `validation`."""

    # within a function, so that they are sent by value: workers have no `validation` yet
    def theirs(names: list[str]) -> dict[str, str]:
        import platform
        import sys
        from importlib.metadata import PackageNotFoundError, version

        for module in [m for m in sys.modules if m.split(".")[0] == "validation"]:
            del sys.modules[module]
        found = {"python": platform.python_version()}
        for name in names:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "none"
        return found

    names = [name for name in ours if name != "python"]
    for worker, found in client.run(theirs, names).items():
        for name, number in ours.items():
            if found[name] != number:
                raise PoolError(
                    f"the dask worker {worker} has {name} {found[name]}, here it is {number}: "
                    "numbers would not be the same; install the same versions"
                )


def _package(folder: Path) -> str:
    """A zip of this package in a folder."""
    source, path = Path(__file__).resolve().parent, folder / "validation.zip"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(source.rglob("*.py")):
            archive.write(file, Path("validation") / file.relative_to(source))
    path.write_bytes(data.getvalue())
    return str(path)
