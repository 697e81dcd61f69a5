"""Symbolic write-ups of the project's formulas, each line of them checked by SymPy.

One module per statement, or a folder where it has parts, known by the same id (T1, T2, ...) in the
docstrings of the numeric functions and in the tests. Nothing here imports the library: a check that
shares its simplifications with what it checks proves nothing.

``python -m derivations`` lists the statements, ``python -m derivations T6`` prints one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from derivations.frame.derivation import Derivation

__all__ = ["MODULES", "load"]

MODULES = {
    "T1": "t01_gradient_flow",
    "T2": "t02_modes",
    "T3": "t03_one_mode",
    "T4": "t04_depth",
    "T5": "t05_lambda_balanced",
    "T6": "t06_flat_low_rank",
    "T7": "t07_random_tasks",
    "T8": "t08_rich_limit",
    "T9": "t09_lazy_limit",
    "T10": "t10_features",
    "T11": "t11_reduced_flow",
    "T12": "t12_sequences",
    "T13": "t13_gradient_descent",
    "T14": "t14_random_tasks",
    "T15": "t15_krylov",
    "T16": "t16_recurrent_flow",
    "T17": "t17_recurrent_kernel",
    "T18": "t18_invariant_space",
    "T19": "t19_recurrent_modes",
    "T20": "t20_typical_start",
    "T21": "t21_target_alignment",
}


def load(name: str) -> Derivation:
    """Return the derivation with this id; imports SymPy and that one module.

    Raises
    ------
    KeyError
        If no derivation has this id; the known ones are the keys of ``MODULES``.
    """
    return import_module(f"derivations.{MODULES[name]}").DERIVATION
