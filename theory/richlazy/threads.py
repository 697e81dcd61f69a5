"""One BLAS thread where matrices are small: more of them only wait for one another.

Thousands of small products take twice the CPU on two threads, and many times as long where the
cores have other work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

__all__ = ["alone"]

_SMALL = 600  # rows or columns


@contextmanager
def alone(size: int = 0) -> Iterator[None]:
    """Give BLAS one thread, unless the matrices are of more than a few hundred rows or columns.

    The setting is the whole process's. Where several threads ask, threadpoolctl lets the first of
    them change it, and give it back.

    Examples
    --------
    >>> with alone(50):
    ...     pass
    """
    if size > _SMALL:
        yield
    else:
        with _controller().limit(limits=1, user_api="blas"):
            yield


@lru_cache(maxsize=1)
def _controller() -> Any:
    import scipy.linalg  # noqa: F401  # which brings a BLAS of its own
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()
