"""Linear networks of any depth: T11 carried to more than two layers (`richlazy.deep`)."""

from richlazy.deep.solution import DeepSolution, solve

__all__ = ["DeepSolution", "solve"]
