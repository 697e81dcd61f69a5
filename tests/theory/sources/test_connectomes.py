"""The shipped connectomes are the published ones, the right way round."""

from __future__ import annotations

import csv
import re
from importlib import resources

import numpy as np
import pytest

from richlazy import connectomes
from richlazy.start.spectrum import effective_rank

DATA = resources.files("richlazy.sources") / "data"

# Neurons, connections and synapses. C. elegans: Varshney et al. (2011), who count 279 neurons,
# 6394 chemical synapses and 2194 directed connections.
FACTS = {
    "celegans": (279, 2194, 6394),
    "mushroom_body_left": (209, 7425, 25322),
    "mushroom_body_right": (213, 7536, 26371),
    # Witvliet et al. (2021), neurons alone
    "celegans_brain_1": (161, 675, 1152),
    "celegans_brain_2": (162, 865, 1687),
    "celegans_brain_3": (162, 887, 1884),
    "celegans_brain_4": (168, 1011, 2521),
    "celegans_brain_5": (173, 1324, 3644),
    "celegans_brain_6": (175, 1315, 3894),
    "celegans_brain_7": (180, 1944, 6587),
    "celegans_brain_8": (180, 1933, 7099),
}


def rows(name):
    text = (DATA / connectomes.SHIPPED[name].file).read_text(encoding="utf-8")
    animal = name.removeprefix("celegans_brain_")
    listed = csv.DictReader(text.splitlines())
    return [row for row in listed if row.get("animal", name) in (animal, name)]


def test_the_names():
    assert connectomes.names() == tuple(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_counts_are_the_published_ones(name):
    shipped = connectomes.load(name)
    neurons, connections, synapses = FACTS[name]
    assert shipped.name == name
    assert shipped.weights.shape == (neurons, neurons)
    assert shipped.weights.dtype == np.float64
    assert len(shipped.neurons) == len(set(shipped.neurons)) == neurons
    assert np.count_nonzero(shipped.weights) == connections
    assert shipped.weights.sum() == synapses
    assert np.all(shipped.weights == np.round(shipped.weights))
    assert shipped.weights.min() == 0


@pytest.mark.parametrize("name", FACTS)
def test_weights_are_post_by_pre(name):
    shipped = connectomes.load(name)
    place = {neuron: index for index, neuron in enumerate(shipped.neurons)}
    listed = rows(name)
    for row in listed:
        weight = shipped.weights[place[row["post"]], place[row["pre"]]]
        assert weight == float(row["synapses"])
    assert len(listed) == np.count_nonzero(shipped.weights)
    assert not np.array_equal(shipped.weights, shipped.weights.T)
    assert list(shipped.neurons) == sorted(shipped.neurons)


@pytest.mark.parametrize("name", FACTS)
def test_the_table_of_sources_agrees(name):
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    about = connectomes.SHIPPED[name]
    key = f"{about.animal} | {about.stage}" if about.animal else about.file
    counts = re.search(rf"\| {re.escape(key)} \| (\d+) \| (\d+) \| (\d+) \|", readme)
    assert counts is not None
    assert tuple(map(int, counts.groups())) == FACTS[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("celegans", 29.1),
        ("mushroom_body_left", 3.5),
        ("mushroom_body_right", 3.8),
        ("celegans_brain_1", 19.5),
        ("celegans_brain_8", 13.8),
    ],
)
def test_participation_ratios(name, expected):
    weights = connectomes.load(name).weights
    moment = weights.T @ weights
    ratio = np.trace(moment) ** 2 / np.sum(moment**2)
    assert round(ratio, 1) == expected
    singular_values = np.linalg.svd(weights, compute_uv=False)
    assert effective_rank(singular_values, kind="participation") == pytest.approx(ratio, rel=1e-10)


def test_every_source_can_be_cited():
    assert "Varshney" in connectomes.load("celegans").source
    for side in ("left", "right"):
        source = connectomes.load(f"mushroom_body_{side}").source
        assert "Eichler" in source
        assert f"mushroom body, {side}." in source

    for animal in range(1, 9):
        found = connectomes.load(f"celegans_brain_{animal}")
        assert "Witvliet" in found.source
        assert f"animal {animal} ({found.stage})" in found.source


def test_stages():
    assert connectomes.names("adult") == ("celegans", "celegans_brain_7", "celegans_brain_8")
    stages = ("L1", "L2", "L3", "adult", "first instar")
    found = [name for stage in stages for name in connectomes.names(stage)]
    assert sorted(found) == sorted(connectomes.names())
    assert all(connectomes.load(name).stage == "L2" for name in connectomes.names("L2"))
    with pytest.raises(ValueError, match="stage must be one of adult, first instar, L1, L2, L3"):
        connectomes.names("l1")


def test_some_neurons():
    whole = connectomes.load("celegans_brain_1")
    some = whole.neurons[5:50:3]
    part = connectomes.load("celegans_brain_1", reversed(some))
    at = [whole.neurons.index(name) for name in some]
    assert part.neurons == some
    np.testing.assert_array_equal(part.weights, whole.weights[np.ix_(at, at)])
    assert connectomes.load("celegans_brain_1", whole.neurons[3]).weights.shape == (1, 1)
    with pytest.raises(ValueError, match="neurons must be in celegans; 'XYZ' is not"):
        connectomes.load("celegans", ["ADAL", "XYZ"])


def test_inhibitory_neurons():
    found = connectomes.inhibitory()
    assert len(set(found)) == 26
    assert {"DD1", "VD13", "RMEL", "AVL", "RIS"} <= set(found)
    assert set(found) <= set(connectomes.load("celegans").neurons)


def test_each_load_is_fresh():
    first = connectomes.load("celegans").weights
    first[:] = 0
    assert connectomes.load("celegans").weights.any()


def test_an_unknown_name():
    with pytest.raises(ValueError, match=r"must be one of celegans, mushroom_body_left,.*'mouse'"):
        connectomes.load("mouse")
