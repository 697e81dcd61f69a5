"""What a curve or a map may run along, and in which unit."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["AXES", "LOGARITHMIC", "VALUES", "Axis"]

Axis: TypeAlias = Literal[
    "rank", "alignment", "scale", "strength", "depth", "gain", "steps", "time", "updates"
]

#: What each axis is, and its unit.
AXES: dict[str, tuple[str, str]] = {
    "rank": ("rank r of the start", "directions"),
    "alignment": ("task alignment c", "squared share"),
    "scale": ("scale of W1(0)", "Frobenius norm"),
    "strength": ("task strength", "length of the task vector"),
    "depth": ("depth L", "layers"),
    "gain": ("gain g of W(0)", "Frobenius norm / sqrt(N)"),
    "steps": ("steps T of the task", "lags"),
    "time": ("time t", "learning rate x steps"),
    "updates": ("training step", "updates of the weights"),
}
#: What the values along each axis are called.
VALUES = {
    "rank": "ranks",
    "alignment": "alignments",
    "scale": "norms",
    "strength": "strengths",
    "depth": "layers",
    "gain": "gains",
    "steps": "lengths",
    "time": "ts",
    "updates": "updates",
}
#: Axes that are drawn in the logarithm.
LOGARITHMIC = ("rank", "scale", "strength", "depth", "time")
