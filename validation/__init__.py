"""Gradient descent held against the theory: the evidence of the project, study by study.

``python -m validation run rank`` runs one study, ``python -m validation run all`` every one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from validation.study import Study

__all__ = ["RECURRENT", "STUDIES", "load"]

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
    "recurrent",
    "recurrent-rank",
    "development",
)

#: Those of nonlinear recurrent networks, which need the extra `rnn`; `validation.rnn.rank` holds
#: "rnn-rank".
RECURRENT = (
    "rnn-rank",
    "rnn-turn",
    "rnn-structure",
    "rnn-kept",
    "rnn-forgetting",
    "rnn-theory",
)


def load(name: str) -> Study:
    """Return the study with this name; imports that one module, and what it needs.

    Raises
    ------
    KeyError
        If no study has this name; the known ones are ``STUDIES`` and ``RECURRENT``.
    ModuleNotFoundError
        If the extra that a study needs is not installed.
    """
    known = (*STUDIES, *RECURRENT)
    if name not in known:
        raise KeyError(f"unknown study {name!r}; the known ones are {', '.join(known)}")
    study: Study = import_module(f"validation.{name.replace('-', '.')}").STUDY
    return study
