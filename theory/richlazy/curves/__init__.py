"""Theory curves: laziness along one named axis, with its provenance (`richlazy.curves`)."""

from richlazy.curves.axes import AXES, Axis
from richlazy.curves.curve import Curve, from_csv, from_json
from richlazy.curves.flat import (
    MAKERS,
    PARAMETERS,
    alignment,
    default_ranks,
    depth,
    rank,
    scale,
    strength,
    time,
)

__all__ = [
    "AXES",
    "MAKERS",
    "PARAMETERS",
    "Axis",
    "Curve",
    "alignment",
    "default_ranks",
    "depth",
    "from_csv",
    "from_json",
    "rank",
    "scale",
    "strength",
    "time",
]
