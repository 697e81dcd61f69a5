"""How lazy a training run of your own was (`richlazy.runs`).

`Run` measures snapshots of any library; `richlazy.runs.torch` and `richlazy.runs.jax` (extras
`torch` and `jax`) take a model and record it, tangent kernel included.
"""

from richlazy.runs.compare import Comparison
from richlazy.runs.probes import probes
from richlazy.runs.recording import Snapshot
from richlazy.runs.run import Run, load

__all__ = ["Comparison", "Run", "Snapshot", "load", "probes"]
