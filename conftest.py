"""Settings that every test needs before NumPy is loaded."""

from __future__ import annotations

import os

# Hundreds of small eigenproblems: BLAS threads only fight for the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
