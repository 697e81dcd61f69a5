"""`rng` is a seed or a generator, everywhere."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

import richlazy as rl
from richlazy.errors import KindError, generator
from richlazy.sources import controls
from richlazy.start import matrices
from richlazy.start.task import random_directions
from tests.theory.objects import TASK, W1, same

SQUARE = np.arange(81.0).reshape(9, 9) % 7
CHANCE = {
    "recurrent.turn": lambda rng: np.asarray(
        rl.recurrent.turn(12, 2, gain=0.6, tasks=2, rng=rng).weight_change
    ),
    "Task.random": lambda rng: rl.Task.random(9, 2, rng=rng).cov_yx,
    "Network.from_spectrum": lambda rng: rl.Network.from_spectrum(
        [2.0, 1.0], task=TASK, hidden=4, rng=rng
    ).first.toarray(),
    "Network.from_spectrum, aligned": lambda rng: rl.Network.from_spectrum(
        [2.0, 1.0], task=TASK, hidden=4, alignment=0.3, rng=rng
    ).first.toarray(),
    "spectrum.gaussian": lambda rng: rl.spectrum.gaussian(5, 7, rng=rng),
    "spectrum.participation_ratio": lambda rng: large("participation_ratio", rng).value,
    "matrices.second_moments": lambda rng: large("second_moments", rng).trace_square.value,
    "matrices.rescaled": lambda rng: large("rescaled", rng) @ np.ones(1100),
    "matrices.second_moments_trace": lambda rng: large("second_moments_trace", rng),
    "random_directions": lambda rng: random_directions(5, 2, rng),
    "expect": lambda rng: rl.expect(W1, method="sample", tasks=5, rng=rng).weight_change.mean,
    "controls.gaussian": lambda rng: controls.gaussian(W1, rng),
    "controls.shuffled": lambda rng: controls.shuffled(W1, rng),
    "controls.degree_preserving": lambda rng: controls.degree_preserving(W1 * (W1 > 0), rng),
    "controls.same_singular_values": lambda rng: controls.same_singular_values(W1, rng),
    "controls.same_eigenvalues": lambda rng: controls.same_eigenvalues(SQUARE, rng),
    "controls.sign_balanced": lambda rng: controls.sign_balanced(SQUARE, rng),
    "controls.gaussian_of_largest_singular_value": (
        lambda rng: controls.gaussian_of_largest_singular_value(W1, rng)
    ),
    "controls.gaussian_of_spectral_radius": (
        lambda rng: controls.gaussian_of_spectral_radius(SQUARE, rng)
    ),
}
OPTIONAL = {
    "spectrum.gaussian", "spectrum.participation_ratio", "matrices.second_moments",
    "matrices.rescaled", "matrices.second_moments_trace", "expect", "recurrent.turn",
}  # fmt: skip


def large(what, rng):
    """An answer that needs probes: of an operator too large to be made dense for it."""
    operator = aslinearoperator(csr_array(np.diag(np.arange(1.0, 1101.0)) + np.eye(1100, k=1)))
    if what == "participation_ratio":
        return rl.spectrum.participation_ratio(operator, rng)
    if what == "rescaled":
        return matrices.rescaled(operator, 1.0, rng)
    return getattr(matrices, what)(operator, rng)


@pytest.mark.parametrize("name", CHANCE)
def test_a_seed_is_a_generator_of_that_seed(name):
    draw = CHANCE[name]
    first = draw(3)
    same(np.asarray(draw(3)), np.asarray(first))
    same(np.asarray(draw(np.int64(3))), np.asarray(first))
    same(np.asarray(draw(np.random.default_rng(3))), np.asarray(first))
    assert not np.array_equal(draw(4), first)
    shared = np.random.default_rng(3)
    draw(shared)
    assert not np.array_equal(draw(shared), first)


@pytest.mark.parametrize("wrong", [True, np.True_, 1.0, "0", [1], np.random, object(), -1, None])
@pytest.mark.parametrize("name", CHANCE)
def test_what_is_neither_seed_nor_generator_is_refused(name, wrong):
    if wrong is None and name in OPTIONAL:
        same(np.asarray(CHANCE[name](None)), np.asarray(CHANCE[name](None)))
        return
    with pytest.raises(ValueError, match=r"^rng must be a seed"):
        CHANCE[name](wrong)


def test_rng_is_refused_where_it_would_not_be_needed():
    for ask in (rl.spectrum.participation_ratio, rl.expect, matrices.second_moments):
        with pytest.raises(TypeError, match=r"^rng must be a seed"):
            ask(W1, rng="0")


def test_every_public_function_that_takes_rng_is_tested_here():
    rooms = [value for name in rl.__all__ if inspect.ismodule(value := getattr(rl, name))]
    things = [getattr(room, name) for room in (*rooms, controls, matrices) for name in room.__all__]
    things += [getattr(rl, name) for name in rl.__all__]
    things += [m for c in (rl.Task, rl.Network, rl.Thin) for _, m in inspect.getmembers(c)]
    taking = set()
    for thing in filter(callable, things):
        try:
            if "rng" in inspect.signature(thing).parameters:
                taking.add(thing.__name__)
        except ValueError:
            continue
    assert taking <= {name.split(",")[0].split(".")[-1] for name in CHANCE}
    assert "random" in taking


def test_generator_says_the_name_and_what_to_write():
    with pytest.raises(KindError, match=r"^chance must be .*; it is True: write chance=0 or"):
        generator(True, "chance")
