"""Settings that every test and every process it starts need, before NumPy is loaded."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec

from tests.theory.against_derivations.agreement import *  # noqa: F403

# Hundreds of small eigenproblems: BLAS threads only fight for the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell has what it starts with "&" ignore interrupts, and so would every process started here. A
# handler, unlike being ignored, is not inherited: they start as from a terminal.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# And nohup has it ignore SIGHUP, which we still do.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

# Modules of extras that are not among those of the tests; they have environments of their own.
collect_ignore = [
    f"theory/richlazy/runs/{name}.py" for name in ("torch", "jax") if find_spec(name) is None
]
# Scripts that the build of the site runs, and the copies it makes: to import one is to run it.
collect_ignore_glob = ["docs/tutorial/*", "docs/gallery/*", "docs/learn/*"]
