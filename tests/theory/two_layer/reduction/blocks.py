"""Starts, tasks and chains for the tests of the block Krylov reduction."""

from __future__ import annotations

import numpy as np

from richlazy import spectrum
from richlazy.laziness import Measures
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.reduction.block_krylov import BlockChain

HIDDEN, INPUTS = 24, 30
TIMES = np.array([0.5, 2.0, np.inf])


def unit(matrix):
    return matrix / np.linalg.norm(matrix)


def gaussian(rng):
    return rng.standard_normal((HIDDEN, INPUTS))


def power_law(rng):
    task = Task.random(INPUTS, 1, rng=rng)
    s = spectrum.power_law(HIDDEN, 1.0)
    return Network.from_spectrum(s, task=task, hidden=HIDDEN, rng=rng).first.toarray()


def low_rank(rng):
    return rng.standard_normal((HIDDEN, 4)) @ rng.standard_normal((4, INPUTS))


def wishart(rng, inputs=INPUTS):
    x = rng.standard_normal((10 * inputs, inputs))
    return x.T @ x / len(x)


def with_eigenvalues(values, rng):
    q = np.linalg.qr(rng.standard_normal((len(values), len(values))))[0]
    cov = (q * values) @ q.T
    return 0.5 * (cov + cov.T), q


def made(rng, draw=gaussian, norm=1.0, outputs=2, silent=False, cov=None):
    first = norm * unit(draw(rng))
    hidden, inputs = first.shape
    readout = None if silent else norm * unit(rng.standard_normal((outputs, hidden)))
    teacher = unit(rng.standard_normal((outputs, inputs)))
    return Network(first, readout), Task.teacher(teacher, cov)


def single(found):
    return Measures(*(v[:, 0] for v in found))


def grown(start, task, order=100):
    chain = BlockChain(start, task)
    chain.grow(order)
    return chain
