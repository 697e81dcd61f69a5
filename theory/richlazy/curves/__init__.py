"""Theory curves and maps: laziness along one named axis or over two, with its provenance."""

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
from richlazy.curves.given import of
from richlazy.curves.grid import Map, map_from_csv, map_from_json
from richlazy.curves.maps import map

__all__ = [
    "AXES",
    "MAKERS",
    "PARAMETERS",
    "Axis",
    "Curve",
    "Map",
    "alignment",
    "default_ranks",
    "depth",
    "from_csv",
    "from_json",
    "map",
    "map_from_csv",
    "map_from_json",
    "of",
    "rank",
    "scale",
    "strength",
    "time",
]
