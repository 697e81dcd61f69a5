"""T17: the tangent kernel of a linear recurrent network from small Gram matrices.

K_(kl) = I_m (x) G^c_(kl) + G^o_(kl) (x) I_n + sum_(j<k, j'<l) G^o_(jj') (x) G^c_(k-1-j, l-1-j'),

the parts of V, U and W, with G^c_(kl) = C_k'C_l and G^o_(jl) = O_j O_l'. Index order here:
(output, lag, channel).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Kernel", "tangent_kernel"]

Array = NDArray[np.float64]


class Kernel(NamedTuple):
    """Parts of the tangent kernel by the matrix that moves, (..., T m n, T m n) each, and Gram.

    gram is that of the last state over the inputs, over (lag, channel).
    """

    inputs: Array
    recurrent: Array
    readout: Array
    gram: Array

    def total(self, rates: tuple[float, float, float]) -> Array:
        """The kernel of what is trained, each part times its rate."""
        return np.asarray(
            rates[0] * self.inputs + rates[1] * self.recurrent + rates[2] * self.readout
        )


def tangent_kernel(controls: Array, reads: Array, root: Array | None = None) -> Kernel:
    """Kernel of a network with given C (..., T, p, n) and O (..., T, m, p), seen through `root`.

    `root` (T n, T n) is the symmetric root of the metric over (lag, channel).
    """
    *stack, t, p, n = controls.shape
    m = reads.shape[-2]
    wide_c = np.moveaxis(controls, -3, -2).reshape(*stack, p, t * n)
    wide_o = reads.reshape(*stack, t * m, p)
    gc = (np.swapaxes(wide_c, -1, -2) @ wide_c).reshape(*stack, t, n, t, n)
    go = (wide_o @ np.swapaxes(wide_o, -1, -2)).reshape(*stack, t, m, t, m)
    shape = (*stack, m, t, n, m, t, n)
    part_v, part_u, part_w = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for a in range(m):
        part_v[..., a, :, :, a, :, :] = gc
    lags = np.moveaxis(go, -3, -4)  # (..., m, T, T, m): output first
    for c in range(n):
        part_u[..., :, :, c, :, :, c] = np.moveaxis(lags, -1, -2)
    for j in range(t - 1):
        for l in range(t - 1):
            pair = go[..., j, :, l, :][..., :, None, None, :, None, None]
            seen = gc[..., : t - 1 - j, :, : t - 1 - l, :][..., None, :, :, None, :, :]
            part_w[..., :, j + 1 :, :, :, l + 1 :, :] += pair * seen
    size = m * t * n
    parts = [x.reshape(*stack, size, size) for x in (part_u, part_w, part_v)]
    gram = gc.reshape(*stack, t * n, t * n)
    if root is not None:
        both = np.kron(np.eye(m), root)
        parts = [both @ x @ both for x in parts]
        gram = root @ gram @ root
    return Kernel(parts[0], parts[1], parts[2], gram)
