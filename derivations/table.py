"""The table of formulas: which derivation, library function, tests and simulation studies hold it.

The library is named in words only, because nothing here imports it;
``tests/derivations/test_table.py`` holds the table against it, against the tests and against the
derivations.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ROWS", "Row"]


class Row(NamedTuple):
    """One formula of a derivation, evaluated by one public name of the library."""

    id: str
    function: str  #: dotted name in richlazy
    tests: tuple[str, ...]  #: modules of tests/theory
    studies: tuple[str, ...]  #: studies of validation/


ROWS = (
    Row("T1", "Network.conserved", ("test_network", "test_symmetries"), ("imbalance",)),
    Row("T1", "Solution.drift", ("test_solution",), ("imbalance",)),
    Row("T1", "deep.DeepSolution.drift", ("test_deep", "test_properties_deep"), ("depth",)),
    Row(
        "T1",
        "descent.descend",
        ("test_descent",),
        ("rank", "alignment", "spectrum", "scale", "features", "step", "nonlinear"),
    ),
    Row("T1", "riccati.imbalance", ("test_riccati", "test_properties_limits"), ("imbalance",)),
    Row("T2", "solve", ("test_aligned", "test_symmetries"), ("imbalance",)),
    Row("T3", "modes.state", ("test_modes",), ("imbalance",)),
    Row("T3", "modes.trajectory", ("test_modes",), ("imbalance",)),
    Row("T3", "solve", ("test_aligned", "test_symmetries"), ("imbalance",)),
    Row("T4", "curves.depth", ("test_curves", "test_properties_curves"), ("depth",)),
    Row("T4", "depth.infinite", ("test_depth",), ("depth",)),
    Row("T4", "depth.state", ("test_depth",), ("depth",)),
    Row("T4", "depth.strength", ("test_depth",), ("depth",)),
    Row("T4", "depth.time", ("test_depth",), ("depth",)),
    Row("T5", "riccati.Balanced", ("test_riccati",), ("imbalance",)),
    Row(
        "T5",
        "riccati.Balanced.second_moment",
        ("test_riccati", "test_properties_limits"),
        ("imbalance",),
    ),
    Row(
        "T5", "solve", ("test_riccati_route", "test_symmetries"), ("alignment", "imbalance", "step")
    ),
    Row("T6", "curves.alignment", ("test_curves", "test_properties_curves"), ("alignment",)),
    Row("T6", "curves.rank", ("test_curves", "test_properties_curves"), ("rank",)),
    Row("T6", "curves.time", ("test_curves", "test_properties_curves"), ("alignment",)),
    Row(
        "T6",
        "low_rank.measures",
        ("test_low_rank", "test_against_derivations"),
        ("rank", "alignment", "scale", "features", "noise", "nonlinear"),
    ),
    Row("T6", "several_outputs.alignments", ("test_several_outputs",), ("alignment",)),
    Row("T6", "several_outputs.measures", ("test_several_outputs",), ("alignment",)),
    Row("T6", "solve", ("test_solvers",), ("step",)),
    Row("T7", "curves.rank", ("test_curves", "test_properties_curves"), ("rank",)),
    Row(
        "T7",
        "expect",
        ("test_principal_angles", "test_prediction", "test_properties_expect"),
        ("spectrum",),
    ),
    Row(
        "T7",
        "low_rank.expected",
        ("test_low_rank_averages",),
        ("rank", "scale", "noise", "forgetting"),
    ),
    Row(
        "T7",
        "low_rank.mean_cosine",
        ("test_low_rank_averages", "test_properties_limits"),
        ("rank",),
    ),
    Row("T7", "low_rank.quantile", ("test_low_rank_averages", "test_properties_limits"), ("rank",)),
    Row("T7", "several_outputs.expected", ("test_several_outputs",), ("scale",)),
    Row("T8", "boundary_curves.rich_correction", ("test_boundary_curves",), ("scale",)),
    Row("T8", "curves.scale", ("test_curves", "test_properties_curves"), ("scale",)),
    Row(
        "T8",
        "limits.representation_rich_limit",
        ("test_limits", "test_against_t08"),
        ("spectrum", "scale"),
    ),
    Row("T8", "limits.rich_correction", ("test_limits", "test_against_t08"), ("spectrum", "scale")),
    Row(
        "T8", "limits.rich_limit", ("test_limits", "test_properties_limits"), ("spectrum", "scale")
    ),
    Row("T8", "limits.rich_limit_mean", ("test_limits",), ("spectrum", "scale")),
    Row(
        "T8",
        "spectrum.participation_ratio",
        ("test_spectrum", "test_properties_limits"),
        ("spectrum",),
    ),
    Row("T9", "boundaries.alignment", ("test_boundaries",), ("alignment",)),
    Row("T9", "boundaries.kernel_window", ("test_boundaries", "test_against_t09"), ("scale",)),
    Row("T9", "boundaries.peak_rank", ("test_boundaries", "test_against_t09"), ("scale",)),
    Row("T9", "boundaries.slope", ("test_boundaries",), ("scale",)),
    Row("T9", "boundaries.turning_ranks", ("test_boundaries", "test_against_t09"), ("scale",)),
    Row("T9", "boundary_curves.boundary", ("test_boundary_curves",), ("alignment",)),
    Row("T9", "boundary_curves.laziest", ("test_boundary_curves",), ("scale",)),
    Row("T9", "boundary_curves.peak", ("test_boundary_curves",), ("scale",)),
    Row("T9", "boundary_curves.slopes", ("test_boundary_curves",), ("scale",)),
    Row("T9", "curves.rank", ("test_curves", "test_properties_curves"), ("rank",)),
    Row("T9", "curves.scale", ("test_curves", "test_properties_curves"), ("scale",)),
    Row("T9", "laziest.rank", ("test_laziest", "test_against_t09_unequal"), ("scale",)),
    Row("T9", "laziest.window", ("test_laziest", "test_against_t09_unequal"), ("scale",)),
    Row("T9", "low_rank.lazy_limit", ("test_limits", "test_properties_limits"), ("scale",)),
    Row("T10", "features.alignment", ("test_features", "test_properties_limits"), ("features",)),
    Row("T10", "features.mean_step_alignment", ("test_features",), ("features",)),
    Row("T10", "features.step_alignment", ("test_features",), ("features",)),
    Row("T11", "deep.solve", ("test_deep", "test_properties_deep"), ("depth",)),
    Row(
        "T11",
        "solve",
        ("test_flow", "test_every_route"),
        ("spectrum", "features", "step", "connectome"),
    ),
    Row("T12", "path_length", ("test_sequences", "test_properties_sequences"), ("forgetting",)),
    Row("T12", "sequence", ("test_sequences", "test_properties_sequences"), ("forgetting",)),
    Row("T13", "descent.descend", ("test_descent",), ("rank", "alignment", "scale", "step")),
    Row("T14", "expect", ("test_prediction", "test_properties_expect"), ("spectrum",)),
    Row("T15", "expect", ("test_prediction", "test_properties_expect"), ("spectrum", "connectome")),
    Row("T15", "limits.law", ("test_limits", "test_properties_limits"), ("spectrum",)),
    Row(
        "T15",
        "solve",
        ("test_krylov", "test_block_krylov", "test_symmetries"),
        ("spectrum", "step", "connectome"),
    ),
)
