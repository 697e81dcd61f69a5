"""A linear recurrent network at its start: h_t = W h_{t-1} + U x_t, y = V h_T."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import Rng, afford, generator, instance, integer, nonnegative, real_array
from richlazy.start import matrices
from richlazy.start.matrices import MatrixLike
from richlazy.summary import summary

__all__ = ["Network", "as_network"]

Array = NDArray[np.float64]


class Network:
    """Initial weights of h_t = (1 - leak) h_{t-1} + leak (W h_{t-1} + U x_t), h_0 = 0, y = V h_T.

    Parameters
    ----------
    inputs
        U, (units, channels).
    recurrent
        W, (units, units): an array, a scipy.sparse matrix, a `Thin` factorisation or a
        scipy.sparse.linalg.LinearOperator.
    readout
        V, (outputs, units).
    leak
        In (0, 1]; 1 is no leak.

    Raises
    ------
    ValueError
        If shapes do not fit, or the weights are no finite real numbers.

    Examples
    --------
    >>> Network(inputs=[[1.0], [0.0]], recurrent=0.5 * np.eye(2), readout=[[1.0, 0.0]])
    Network(units=2, channels=1, outputs=1, gain=0.5)
    """

    def __init__(
        self,
        inputs: ArrayLike,
        recurrent: MatrixLike,
        readout: ArrayLike,
        leak: float = 1.0,
    ) -> None:
        self.inputs = matrices.as_matrix(real_array(inputs, "inputs", ndim=2), "inputs")
        self.readout = matrices.as_matrix(real_array(readout, "readout", ndim=2), "readout")
        self.recurrent = matrices.as_matrix(recurrent, "recurrent")
        units = self.recurrent.shape[0]
        if self.recurrent.shape[1] != units:
            raise ValueError(
                f"recurrent must be square (units x units); its shape is {self.recurrent.shape}"
            )
        if self.inputs.shape[0] != units:
            raise ValueError(
                f"inputs (units, channels) must have {units} rows, the units of recurrent; its "
                f"shape is {self.inputs.shape}"
            )
        if self.readout.shape[1] != units:
            raise ValueError(
                f"readout (outputs, units) must have {units} columns, the units of recurrent; its "
                f"shape is {self.readout.shape}"
            )
        self.leak = float(real_array(leak, "leak", ndim=0))
        if not 0.0 < self.leak <= 1.0:
            raise ValueError(f"leak must lie in (0, 1]; it is {self.leak:g}")

    @classmethod
    def random(
        cls,
        recurrent: MatrixLike,
        *,
        channels: int = 1,
        outputs: int = 1,
        input_norm: float = 1.0,
        readout_norm: float = 1.0,
        leak: float = 1.0,
        rng: Rng,
    ) -> Network:
        """Given recurrent weights; inputs and readout in uniformly random directions.

        Parameters
        ----------
        recurrent
            W, as in `Network`.
        channels, outputs
            n and m.
        input_norm, readout_norm
            Norm of each column of U and of each row of V.
        leak
            As in `Network`.
        rng
            Source of chance, a seed or a generator.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> net = Network.random(0.5 * np.eye(30), channels=2, rng=rng)
        >>> np.linalg.norm(net.inputs, axis=0)
        array([1., 1.])
        """
        matrix = matrices.as_matrix(recurrent, "recurrent")
        n, m, units = integer(channels, "channels"), integer(outputs, "outputs"), matrix.shape[0]
        rng = generator(rng)
        afford(16.0 * units * (n + m), f"U and V of {units:g} units", "lower channels or outputs")
        u = rng.standard_normal((units, n))
        v = rng.standard_normal((m, units))
        u *= float(nonnegative(input_norm, "input_norm", ndim=0)) / np.linalg.norm(u, axis=0)
        v *= (
            float(nonnegative(readout_norm, "readout_norm", ndim=0))
            / np.linalg.norm(v, axis=1)[:, None]
        )
        return cls(u, matrix, v, leak)

    @property
    def units(self) -> int:
        """Number of units, N."""
        return int(self.recurrent.shape[0])

    @property
    def channels(self) -> int:
        """Number of input channels, n."""
        return int(self.inputs.shape[1])

    @property
    def outputs(self) -> int:
        """Number of outputs, m."""
        return int(self.readout.shape[0])

    @property
    def gain(self) -> float:
        """g = ||W||_F / sqrt(N): the spectral radius of a large Gaussian matrix of this norm."""
        return float(np.sqrt(matrices.second_moments_trace(self.recurrent) / self.units))

    def conserved(self) -> Array:
        """D = UU' + WW' - W'W - V'V (units x units), which the flow of all three keeps (T16)."""
        eye = np.eye(self.units)
        w = matrices.forward(self.recurrent, eye)
        return np.asarray(
            self.inputs @ self.inputs.T + w @ w.T - w.T @ w - self.readout.T @ self.readout
        )

    def __repr__(self) -> str:
        known = matrices.has_entries(self.recurrent)
        sizes = {"units": self.units, "channels": self.channels, "outputs": self.outputs}
        gain = self.gain if known else "not measured"
        leak = {} if self.leak == 1.0 else {"leak": self.leak}
        return summary(self, **sizes, gain=gain, **leak)


def as_network(value: Network, name: str = "net") -> Network:
    """Return a Network; a KindError for a matrix, which has no inputs and no readout."""
    remedy = "write recurrent.Network(U, W, V), or recurrent.Network.random(W, rng=0)"
    return instance(value, Network, name, remedy)
