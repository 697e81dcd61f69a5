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
    Row(
        "T1",
        "Network.conserved",
        ("start/test_network", "two_layer/test_symmetries"),
        ("imbalance",),
    ),
    Row("T1", "Solution.drift", ("two_layer/test_solution",), ("imbalance",)),
    Row(
        "T1", "deep.DeepSolution.drift", ("deep/test_solution", "deep/test_properties"), ("depth",)
    ),
    Row(
        "T1",
        "descent.descend",
        ("two_layer/test_descent",),
        ("rank", "alignment", "spectrum", "scale", "features", "step", "nonlinear"),
    ),
    Row(
        "T1",
        "riccati.imbalance",
        ("two_layer/test_riccati", "formulas/test_properties"),
        ("imbalance",),
    ),
    Row(
        "T2", "solve", ("two_layer/routes/test_modes", "two_layer/test_symmetries"), ("imbalance",)
    ),
    Row("T3", "modes.state", ("formulas/test_modes",), ("imbalance",)),
    Row("T3", "modes.trajectory", ("formulas/test_modes",), ("imbalance",)),
    Row(
        "T3", "solve", ("two_layer/routes/test_modes", "two_layer/test_symmetries"), ("imbalance",)
    ),
    Row("T4", "curves.depth", ("curves/test_flat", "curves/test_properties"), ("depth",)),
    Row("T4", "depth.infinite", ("formulas/test_depth",), ("depth",)),
    Row("T4", "depth.state", ("formulas/test_depth",), ("depth",)),
    Row("T4", "depth.strength", ("formulas/test_depth",), ("depth",)),
    Row("T4", "depth.time", ("formulas/test_depth",), ("depth",)),
    Row("T5", "riccati.Balanced", ("two_layer/test_riccati",), ("imbalance",)),
    Row(
        "T5",
        "riccati.Balanced.second_moment",
        ("two_layer/test_riccati", "formulas/test_properties"),
        ("imbalance",),
    ),
    Row(
        "T5",
        "solve",
        ("two_layer/routes/test_riccati", "two_layer/test_symmetries"),
        ("alignment", "imbalance", "step"),
    ),
    Row("T6", "curves.alignment", ("curves/test_flat", "curves/test_properties"), ("alignment",)),
    Row("T6", "curves.rank", ("curves/test_flat", "curves/test_properties"), ("rank",)),
    Row("T6", "curves.time", ("curves/test_flat", "curves/test_properties"), ("alignment",)),
    Row(
        "T6",
        "low_rank.measures",
        ("formulas/test_low_rank", "against_derivations/test_every_formula"),
        ("rank", "alignment", "scale", "features", "noise", "nonlinear"),
    ),
    Row("T6", "several_outputs.alignments", ("formulas/test_several_outputs",), ("alignment",)),
    Row("T6", "several_outputs.measures", ("formulas/test_several_outputs",), ("alignment",)),
    Row("T6", "solve", ("two_layer/test_solve",), ("step",)),
    Row("T7", "curves.rank", ("curves/test_flat", "curves/test_properties"), ("rank",)),
    Row(
        "T7",
        "expect",
        ("averages/test_principal_angles", "averages/test_expect", "averages/test_properties"),
        ("spectrum",),
    ),
    Row(
        "T7",
        "low_rank.expected",
        ("formulas/test_low_rank_averages",),
        ("rank", "scale", "noise", "forgetting"),
    ),
    Row(
        "T7",
        "low_rank.mean_cosine",
        ("formulas/test_low_rank_averages", "formulas/test_properties"),
        ("rank",),
    ),
    Row(
        "T7",
        "low_rank.quantile",
        ("formulas/test_low_rank_averages", "formulas/test_properties"),
        ("rank",),
    ),
    Row("T7", "several_outputs.expected", ("formulas/test_several_outputs",), ("scale",)),
    Row("T8", "boundary_curves.rich_correction", ("curves/test_boundaries",), ("scale",)),
    Row("T8", "curves.scale", ("curves/test_flat", "curves/test_properties"), ("scale",)),
    Row(
        "T8",
        "limits.representation_rich_limit",
        ("formulas/test_rich_correction", "against_derivations/test_t08"),
        ("spectrum", "scale"),
    ),
    Row(
        "T8",
        "limits.rich_correction",
        ("formulas/test_rich_correction", "against_derivations/test_t08"),
        ("spectrum", "scale"),
    ),
    Row(
        "T8",
        "limits.rich_limit",
        ("formulas/test_limits", "formulas/test_properties"),
        ("spectrum", "scale"),
    ),
    Row("T8", "limits.rich_limit_mean", ("formulas/test_limits",), ("spectrum", "scale")),
    Row(
        "T8",
        "spectrum.participation_ratio",
        ("start/test_spectrum", "formulas/test_properties"),
        ("spectrum",),
    ),
    Row("T9", "boundaries.alignment", ("formulas/test_boundaries",), ("alignment",)),
    Row(
        "T9",
        "boundaries.kernel_window",
        ("formulas/test_boundaries", "against_derivations/test_t09"),
        ("scale",),
    ),
    Row(
        "T9",
        "boundaries.peak_rank",
        ("formulas/test_boundaries", "against_derivations/test_t09"),
        ("scale",),
    ),
    Row("T9", "boundaries.slope", ("formulas/test_boundaries",), ("scale",)),
    Row(
        "T9",
        "boundaries.turning_ranks",
        ("formulas/test_boundaries", "against_derivations/test_t09"),
        ("scale",),
    ),
    Row("T9", "boundary_curves.boundary", ("curves/test_boundaries",), ("alignment",)),
    Row("T9", "boundary_curves.laziest", ("curves/test_boundaries",), ("scale",)),
    Row("T9", "boundary_curves.peak", ("curves/test_boundaries",), ("scale",)),
    Row("T9", "boundary_curves.slopes", ("curves/test_boundaries",), ("scale",)),
    Row("T9", "curves.rank", ("curves/test_flat", "curves/test_properties"), ("rank",)),
    Row("T9", "curves.scale", ("curves/test_flat", "curves/test_properties"), ("scale",)),
    Row(
        "T9",
        "laziest.rank",
        ("formulas/test_laziest", "against_derivations/test_t09_unequal"),
        ("scale",),
    ),
    Row(
        "T9",
        "laziest.window",
        ("formulas/test_laziest", "against_derivations/test_t09_unequal"),
        ("scale",),
    ),
    Row(
        "T9",
        "low_rank.lazy_limit",
        ("formulas/test_limits", "formulas/test_properties"),
        ("scale",),
    ),
    Row(
        "T10",
        "features.alignment",
        ("formulas/test_features", "formulas/test_properties"),
        ("features",),
    ),
    Row("T10", "features.mean_step_alignment", ("formulas/test_features",), ("features",)),
    Row("T10", "features.step_alignment", ("formulas/test_features",), ("features",)),
    Row("T11", "deep.solve", ("deep/test_solution", "deep/test_properties"), ("depth",)),
    Row(
        "T11",
        "solve",
        ("two_layer/test_flow", "two_layer/test_every_route"),
        ("spectrum", "features", "step", "connectome"),
    ),
    Row(
        "T12",
        "path_length",
        ("two_layer/test_sequences", "two_layer/test_properties_sequences"),
        ("forgetting",),
    ),
    Row("T12", "recurrent.path_length", ("recurrent/test_sequences",), ("forgetting",)),
    Row("T12", "recurrent.sequence", ("recurrent/test_sequences",), ("forgetting",)),
    Row(
        "T12",
        "sequence",
        ("two_layer/test_sequences", "two_layer/test_properties_sequences"),
        ("forgetting",),
    ),
    Row(
        "T13",
        "descent.descend",
        ("two_layer/test_descent",),
        ("rank", "alignment", "scale", "step"),
    ),
    Row("T14", "expect", ("averages/test_expect", "averages/test_properties"), ("spectrum",)),
    Row(
        "T15",
        "expect",
        ("averages/test_expect", "averages/test_properties"),
        ("spectrum", "connectome"),
    ),
    Row("T15", "limits.law", ("formulas/test_limits", "formulas/test_properties"), ("spectrum",)),
    Row(
        "T15",
        "solve",
        (
            "two_layer/reduction/test_krylov",
            "two_layer/reduction/test_block_krylov",
            "two_layer/test_symmetries",
        ),
        ("spectrum", "step", "connectome"),
    ),
    Row(
        "T16",
        "recurrent.Network.conserved",
        ("recurrent/test_flow", "against_derivations/test_t16"),
        ("recurrent",),
    ),
    Row(
        "T16",
        "recurrent.Solution.drift",
        ("recurrent/test_flow", "against_derivations/test_t16"),
        ("recurrent",),
    ),
    Row("T16", "recurrent.sequence", ("recurrent/test_sequences",), ("recurrent",)),
    Row(
        "T16",
        "recurrent.solve",
        ("recurrent/test_flow", "recurrent/test_solve", "against_derivations/test_t16"),
        ("recurrent",),
    ),
    Row(
        "T17",
        "recurrent.Solution.kernel_alignment",
        ("recurrent/test_measures", "against_derivations/test_t17"),
        ("recurrent",),
    ),
    Row(
        "T17",
        "recurrent.Solution.representation_alignment",
        ("recurrent/test_flow", "against_derivations/test_t17"),
        ("recurrent",),
    ),
    Row(
        "T18",
        "recurrent.solve",
        ("recurrent/test_reduction", "against_derivations/test_t18"),
        ("recurrent",),
    ),
    Row(
        "T19",
        "recurrent.modes.geometric",
        ("recurrent/test_modes", "against_derivations/test_t19"),
        ("recurrent",),
    ),
    Row(
        "T19",
        "recurrent.solve",
        ("recurrent/test_modes", "against_derivations/test_t19"),
        ("recurrent",),
    ),
    Row(
        "T20",
        "recurrent.expect",
        ("recurrent/test_expect", "against_derivations/test_t20"),
        ("recurrent",),
    ),
    Row(
        "T20",
        "recurrent.typical.chain",
        ("recurrent/test_typical", "against_derivations/test_t20"),
        ("recurrent",),
    ),
    Row(
        "T20",
        "recurrent.typical.network",
        ("recurrent/test_typical", "against_derivations/test_t20"),
        ("recurrent",),
    ),
    Row(
        "T20",
        "recurrent.typical.tree",
        ("recurrent/test_typical", "against_derivations/test_t20"),
        ("recurrent",),
    ),
    Row(
        "T21",
        "Solution.target_alignment",
        ("two_layer/test_target_alignment", "against_derivations/test_t21"),
        ("rank", "alignment", "scale", "imbalance"),
    ),
    Row(
        "T21",
        "deep.DeepSolution.target_alignment",
        ("deep/test_solution", "against_derivations/test_t21"),
        ("depth",),
    ),
    Row("T21", "low_rank.measures", ("against_derivations/test_t21",), ("rank", "scale")),
    Row("T21", "several_outputs.expected", ("against_derivations/test_t21",), ("scale",)),
)
