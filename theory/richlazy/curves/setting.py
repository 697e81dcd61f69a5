"""What recurrent curves and maps take besides the start and the axes, and its defaults."""

from __future__ import annotations

from typing import Literal, TypedDict

import numpy as np

from richlazy.errors import Rng

__all__ = ["DEFAULTS", "KEYWORDS", "Setting"]

_TASKS = 50
#: What the axes are called in `expect`, and those that a start says.
KEYWORDS = {"rank": "rank", "gain": "gain", "steps": "steps", "strength": "strength", "time": "t"}


class Setting(TypedDict, total=False):
    """What `expect` takes besides the start and the number of steps."""

    channels: int
    outputs: int
    strength: float
    input_norm: float
    readout_norm: float
    t: float
    method: Literal["typical", "law", "sample"] | None
    tasks: int
    rng: Rng | None


#: What a curve takes where nothing is said.
DEFAULTS: Setting = {
    "channels": 1, "outputs": 1, "strength": 1.0, "input_norm": 1.0, "readout_norm": 1.0,
    "t": np.inf, "method": None, "tasks": _TASKS, "rng": 0,
}  # fmt: skip
