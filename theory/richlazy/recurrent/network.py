"""A linear recurrent network at its start: h_t = W h_{t-1} + U x_t, y = V h_T."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import (
    Rng,
    afford,
    common_shape,
    generator,
    instance,
    integer,
    nonnegative,
    real_array,
)
from richlazy.start import matrices
from richlazy.start.matrices import MatrixLike
from richlazy.start.stack import Stack, alone
from richlazy.summary import summary

__all__ = ["Network", "as_network", "as_networks"]

Array = NDArray[np.float64]


class Network(Stack):
    """Initial weights of h_t = (1 - leak) h_{t-1} + leak (W h_{t-1} + U x_t), h_0 = 0, y = V h_T.

    Parameters
    ----------
    inputs
        U, (..., units, channels).
    recurrent
        W, (units, units): an array, a scipy.sparse matrix, a `Thin` factorisation or a
        scipy.sparse.linalg.LinearOperator; or an array (..., units, units).
    readout
        V, (..., outputs, units). Leading axes of all three are broadcast, and make a stack.
    leak
        In (0, 1]; 1 is no leak.

    Attributes
    ----------
    shape : tuple
        Leading axes of a stack, of which `network[i]` is one; () for one network.

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
        u, v = real_array(inputs, "inputs"), real_array(readout, "readout")
        self.inputs = matrices.as_matrix(u, "inputs", leading=True)
        self.readout = matrices.as_matrix(v, "readout", leading=True)
        self.recurrent = matrices.as_matrix(recurrent, "recurrent", leading=True)
        units = self.recurrent.shape[-2]
        if self.recurrent.shape[-1] != units:
            raise ValueError(
                f"recurrent must be square (units x units); its shape is {self.recurrent.shape}"
            )
        if self.inputs.shape[-2] != units:
            raise ValueError(
                f"inputs (units, channels) must have {units} rows, the units of recurrent; its "
                f"shape is {self.inputs.shape}"
            )
        if self.readout.shape[-1] != units:
            raise ValueError(
                f"readout (outputs, units) must have {units} columns, the units of recurrent; its "
                f"shape is {self.readout.shape}"
            )
        self.leak = float(real_array(leak, "leak", ndim=0))
        if not 0.0 < self.leak <= 1.0:
            raise ValueError(f"leak must lie in (0, 1]; it is {self.leak:g}")
        if max(self.inputs.ndim, self.readout.ndim, len(self.recurrent.shape)) > 2:
            parts = {"inputs": (self.inputs, 2), "readout": (self.readout, 2)}
            if isinstance(self.recurrent, np.ndarray):
                parts["recurrent"] = (self.recurrent, 2)
            self._broadcast(common_shape(**parts))

    def _broadcast(self, shape: tuple[int, ...]) -> None:
        if not isinstance(self.recurrent, np.ndarray):
            raise ValueError("recurrent must be an array in a stack; solve others one by one")
        self.shape = shape
        self.inputs, self.recurrent, self.readout = (
            np.broadcast_to(x, (*shape, *x.shape[-2:]))
            for x in (self.inputs, self.recurrent, self.readout)
        )

    def __getitem__(self, place: int | tuple[int, ...]) -> Network:
        """One network of a stack, or a stack of what further axes hold."""
        at = self._place(place)
        return Network(self.inputs[at], self.recurrent[at], self.readout[at], self.leak)

    def _spread(self, shape: tuple[int, ...]) -> Network:
        """The same in a larger stack, broadcast."""
        if shape == self.shape:
            return self
        larger = Network(self.inputs, self.recurrent, self.readout, self.leak)
        larger._broadcast(shape)
        return larger

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
        return int(self.recurrent.shape[-1])

    @property
    def channels(self) -> int:
        """Number of input channels, n."""
        return int(self.inputs.shape[-1])

    @property
    def outputs(self) -> int:
        """Number of outputs, m."""
        return int(self.readout.shape[-2])

    @property
    def gain(self) -> float:
        """g = ||W||_F / sqrt(N): the spectral radius of a large Gaussian matrix of this norm."""
        alone(self, "the network")
        return float(np.sqrt(matrices.second_moments_trace(self.recurrent) / self.units))

    def conserved(self) -> Array:
        """D = UU' + WW' - W'W - V'V (units x units), which the flow of all three keeps (T16)."""
        alone(self, "the network")
        eye = np.eye(self.units)
        w = matrices.forward(self.recurrent, eye)
        return np.asarray(
            self.inputs @ self.inputs.T + w @ w.T - w.T @ w - self.readout.T @ self.readout
        )

    def __repr__(self) -> str:
        sizes = {"units": self.units, "channels": self.channels, "outputs": self.outputs}
        if self.shape:
            return summary(self, shape=self.shape, **sizes, leak=self.leak)
        known = matrices.has_entries(self.recurrent)
        gain = self.gain if known else "not measured"
        leak = {} if self.leak == 1.0 else {"leak": self.leak}
        return summary(self, **sizes, gain=gain, **leak)


def as_network(value: Network, name: str = "net") -> Network:
    """Return one Network; a KindError for a matrix, which has no inputs and no readout."""
    return alone(as_networks(value, name), name)


def as_networks(value: Network, name: str = "net") -> Network:
    """The same, where a stack is as welcome."""
    remedy = "write recurrent.Network(U, W, V), or recurrent.Network.random(W, rng=0)"
    return instance(value, Network, name, remedy)
