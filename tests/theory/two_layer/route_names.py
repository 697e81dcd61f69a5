"""The routes that the fixture `route` has a start for."""

from __future__ import annotations

ROUTES = [
    "closed modes",
    "closed form",
    "riccati",
    "krylov",
    "krylov, outputs",
    "krylov, readout",
    "flow, not white",
]


def answered_by(solution, name):
    """Whether this route, whatever case of it, gave the solution."""
    return solution.method.startswith(name.split(",")[0])
