"""Gradient descent held against the theory: the evidence of the project, study by study.

``python -m validation run rank`` runs one study, ``python -m validation run all`` every one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from validation.study import Study

__all__ = ["STUDIES", "load"]

#: Every study by name; the module of the same name holds it.
STUDIES = (
    "rank",
    "alignment",
    "spectrum",
    "scale",
    "depth",
    "imbalance",
    "features",
    "forgetting",
    "step",
    "noise",
    "nonlinear",
    "connectome",
)


def load(name: str) -> Study:
    """Return the study with this name; imports NumPy and that one module.

    Raises
    ------
    KeyError
        If no study has this name; the known ones are ``STUDIES``.
    """
    if name not in STUDIES:
        raise KeyError(f"unknown study {name!r}; the known ones are {', '.join(STUDIES)}")
    study: Study = import_module(f"validation.{name}").STUDY
    return study
