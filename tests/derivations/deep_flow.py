"""Gradient flow of a deep linear network, its weights in one vector, without the library."""

from __future__ import annotations

import numpy as np


class DeepFlow:
    """Layers of the given widths, input first, learning `task` from white inputs."""

    def __init__(self, widths, task):
        self.widths, self.task = widths, task
        self.shapes = list(zip(widths[1:], widths[:-1], strict=True))
        self.ends = np.cumsum([rows * columns for rows, columns in self.shapes])

    def layers(self, state):
        parts = np.split(state, self.ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def product(self, state, first=0, last=None):
        """W_last ... W_(first + 1)."""
        total = np.eye(self.widths[first])
        for matrix in self.layers(state)[first:last]:
            total = matrix @ total
        return total

    def __call__(self, _, state):
        error = self.task - self.product(state)
        return np.concatenate(
            [
                (self.product(state, i + 1).T @ error @ self.product(state, 0, i).T).ravel()
                for i in range(len(self.shapes))
            ]
        )
