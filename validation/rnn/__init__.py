"""Recurrent networks on cognitive tasks: does initial rank set how rich their learning is?

The empirical half of arXiv 2310.08513. JAX trains, neurogym makes the tasks (extra `rnn`);
nothing outside this folder imports it.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

__all__ = ["PACKAGES"]

# As BLAS everywhere in the studies: one thread for each worker, read when JAX starts.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

#: Module and distribution of what the numbers depend on.
PACKAGES = {"jax": "jax", "optax": "optax", "neurogym": "neurogym", "sklearn": "scikit-learn"}

for _module in PACKAGES:
    if find_spec(_module) is None:  # before any case has run
        raise ModuleNotFoundError(
            f"recurrent networks need {PACKAGES[_module]}: python -m pip install "
            "-c constraints-rnn.txt -e '.[rnn]'",
            name=_module,
        )
