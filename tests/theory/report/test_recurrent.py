"""The recurrent reading: draws shared by circuit and controls, numbers that `solve` gives."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from matplotlib.figure import Figure

from richlazy import recurrent
from richlazy.report import contents, figure, recurrent_figure, words
from richlazy.report import recurrent as reading
from richlazy.report.recurrent import Setting
from richlazy.sources import source as sources
from richlazy.sources.source import Source
from richlazy.start import matrices


def weights(n=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, n)) * (rng.random((n, n)) < 0.5)


PLAIN = Setting(3)


def made(values, setting=PLAIN, advance=lambda _: None, name="w"):
    source = reading.at_gain(Source(name, values), 0.6)
    return reading.make(source, 2.0, setting, advance)


@pytest.fixture(scope="module")
def found():
    """A reading of 12 neurons with six draws."""
    steps = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "DRAWS", 6)
        return made(weights(), Setting(3, 2, 1), steps.append), steps


def test_every_draw_is_what_solve_says_of_the_same_network(found):
    """Slow twin: network and task made again from their seeds."""
    mine = found[0].starts[0]
    w = weights() * (0.6 * np.sqrt(12) / np.linalg.norm(weights()))
    for draw in range(6):
        rng = np.random.default_rng([reading.SEED, 0, draw])
        task = recurrent.Task.random(3, 2, 1, rng=rng)
        net = recurrent.Network.random(w, channels=2, outputs=1, rng=rng)
        exact = recurrent.solve(net, task).laziness(np.inf)
        for measure in reading.MEASURES:
            assert mine.draws[measure][draw] == pytest.approx(getattr(exact, measure), rel=2e-3)


def test_circuit_and_controls_are_given_the_same_draws(monkeypatch):
    monkeypatch.setattr(reading, "DRAWS", 3)
    seen = []

    def learned(nets, tasks, t):
        nets = list(nets)
        seen.append((nets, tasks))
        return real(nets, tasks, t)

    real = reading.learned
    monkeypatch.setattr(reading, "learned", learned)
    made(weights())
    (first, tasks), *others = seen
    assert len(others) == len(reading.CONTROLS)
    for nets, given in others:
        for a, b, s, t in zip(first, nets, tasks, given, strict=True):
            np.testing.assert_array_equal(a.inputs, b.inputs)
            np.testing.assert_array_equal(a.readout, b.readout)
            np.testing.assert_array_equal(s.response, t.response)
        w = [net.recurrent for net in nets]
        assert not np.allclose(w[0], w[1], rtol=1e-3)  # a new control for each draw
        assert not np.allclose(w[0], first[0].recurrent, rtol=1e-3)


def test_every_start_and_every_comparison_is_there(found):
    one, steps = found
    assert [start.name for start in one.starts] == ["w", *reading.CONTROLS]
    assert steps == [start.name for start in one.starts]
    assert len(steps) == reading.steps_of(one.source)
    assert len(one.comparisons) == len(reading.CONTROLS) * len(reading.MEASURES)
    assert (one.units, one.draws) == (12, 6)
    assert one.gain == pytest.approx(0.6)
    assert one.eigenvalues.size == 12


def test_controls_keep_what_they_say(found):
    one = {start.name: start for start in found[0].starts}
    mine = one["w"]
    for name in list(reading.CONTROLS)[:6]:
        assert one[name].gain == pytest.approx(0.6)
    kept = one["same singular values"].participation_ratio
    assert kept == pytest.approx(mine.participation_ratio)
    for name in ("same eigenvalues", "Gaussian, equal spectral radius"):
        assert one[name].radius == pytest.approx(mine.radius, rel=1e-6)


def test_the_words_and_the_picture_hold_every_start(found):
    one = found[0]
    report = contents.Report(one.source, one, None)
    text = words.summary([report])
    for start in one.starts:
        assert f"| {start.name} |" in text
        if start is not one.starts[0]:
            assert f"with {start.name} (KA " in text
    assert "12 neurons as W of a linear recurrent network at gain 0.6 (as given: 2)" in text
    panels = figure.draw(report).get_axes()
    assert len(panels) == 4
    assert len(panels[0].get_lines()) == 3
    labels = [label.get_text().removesuffix(" *") for label in panels[1].get_yticklabels()]
    assert sorted(labels) == sorted(start.name for start in one.starts)


def test_eigenvalues_are_drawn_in_the_plane_with_two_circles(found):
    axes = Figure().subplots()
    one_of = found[0]
    recurrent_figure.eigenvalues(axes, one_of)
    one, gain, values = (line.get_xydata() for line in axes.get_lines())
    np.testing.assert_allclose(np.hypot(*one.T), 1.0)
    np.testing.assert_allclose(np.hypot(*gain.T), one_of.gain)
    np.testing.assert_array_equal(values[:, 0] + 1j * values[:, 1], one_of.eigenvalues)
    assert axes.get_aspect() == 1.0
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "radius 1", f"radius g = {one_of.gain:.3g}"
    ]  # fmt: skip


def test_five_steps_of_one_channel_and_output_unless_told():
    assert Setting() == (5, 1, 1)


def test_a_sentence_for_either_end():
    """A start whose kernel does not move at all beside one of rank one."""
    lazy = {m: np.full(5, 1.0) + 0.01 * np.arange(5) for m in reading.MEASURES}
    start = reading.Start("w", lazy, 3.0, 0.6, 0.5, "", "")
    shifted = {"kernel_alignment": 0.5, "weight_change_recurrent": 3.0}
    other = {m: v * shifted.get(m, 1.0) + 0.001 * np.arange(5) ** 2 for m, v in lazy.items()}
    made = reading.compared(lazy, {"rich": other, "same": lazy})
    rich = reading.Start("rich", other, 3.0, 0.6, 0.5, "", "")
    same = reading.Start("same", lazy, 3.0, 0.6, 0.5, "", "")
    source = Source("w", np.eye(3))
    found = reading.Recurrent(source, Setting(), 1.0, None, (start, rich, same), made, ())
    text = "\n".join(words.recurrent(found))
    assert "- Its kernel moves less than with rich (KA " in text
    assert "): lazier; W moves less (||dW_h|| " in text
    assert "- Its kernel moves as much as with same (KA " in text
    assert "); W moves as much (||dW_h|| " in text


def test_all_positive_weights_are_told_of_their_outlier(monkeypatch):
    monkeypatch.setattr(reading, "DRAWS", 2)
    found = made(np.abs(weights(30)))
    assert found.notes[-1].startswith("no weight is negative, so one eigenvalue stands out, ")
    assert not any("no weight is negative" in note for note in made(weights(30)).notes)


def test_no_cycle_no_radius(monkeypatch):
    monkeypatch.setattr(reading, "DRAWS", 2)
    found = made(np.triu(np.abs(weights(8)) + 0.1, 1))
    assert "Gaussian, equal spectral radius" not in [start.name for start in found.starts]
    assert any("their spectral radius is zero" in note for note in found.notes)


def test_what_is_too_large_has_no_controls(monkeypatch):
    monkeypatch.setattr(reading, "DRAWS", 2)
    monkeypatch.setattr(matrices, "DENSE_LIMIT", 10)
    found = made(scipy.sparse.csr_array(weights()))
    assert [start.name for start in found.starts] == ["w"]
    assert (found.eigenvalues, found.comparisons) == (None, ())
    assert found.notes == ("no controls: more than 10 neurons",)
    report = contents.Report(found.source, found, None)
    assert "spectral radius" not in words.summary([report]).split("\n| start")[0]
    figure.draw(report).draw_without_rendering()


def test_a_circuit_named_like_a_control_is_none_of_them(monkeypatch):
    monkeypatch.setattr(reading, "DRAWS", 2)
    found = made(weights(), name="Gaussian")
    assert [start.name for start in found.starts[:2]] == ["Gaussian (the input)", "Gaussian"]


@pytest.mark.parametrize(
    ("start", "wanted", "both"),
    [
        (Source("w", np.eye(3)), None, (True, True)),
        (Source("w", np.eye(3)), "recurrent", (True, False)),
        (Source("w", np.eye(3)), "first-layer", (False, True)),
        (Source("w", np.ones((2, 3))), None, (False, True)),
        (sources.find("flat:rank=3"), None, (False, True)),
    ],
)
def test_how_an_input_is_read(start, wanted, both):
    asked = contents.asked(start, wanted)
    assert (asked.recurrent is not None, asked.first_layer is not None) == both
    assert asked.given is start


def test_the_largest_circuit_with_controls(monkeypatch):
    monkeypatch.setattr(reading, "DRAWS", 2)
    monkeypatch.setattr(reading, "CONTROLS", dict(list(reading.CONTROLS.items())[:1]))
    monkeypatch.setattr(matrices, "DENSE_LIMIT", 12)
    found = made(weights())
    assert [start.name for start in found.starts] == ["w", "Gaussian"]
    assert reading.steps_of(found.source) == 2
    monkeypatch.setattr(matrices, "DENSE_LIMIT", 11)
    assert reading.steps_of(found.source) == 1


@pytest.mark.parametrize(("radius", "said"), [(0.71, False), (0.73, True), (None, False)])
def test_an_outlier_is_a_fifth_beyond_the_gain(radius, said):
    start = reading.Start("w", {}, 3.0, 0.6, radius, "", "")
    assert bool(reading._outlier(np.ones((2, 2)), start)) == said
    assert bool(reading._outlier(np.array([[1.0, 0.0], [2.0, 1.0]]), start)) == said
    assert reading._outlier(np.array([[1.0, -1.0], [2.0, 1.0]]), start) == []


def test_means_and_spreads_are_of_the_draws_that_are_defined():
    draws = {"a": np.array([1.0, np.nan, 4.0]), "b": np.array([2.0, np.nan, np.nan])}
    draws["c"] = np.full(3, np.nan)
    start = reading.Start("w", draws, 3.0, 0.6, 0.5, "", "")
    assert (start.mean("a"), start.spread("a")) == (2.5, pytest.approx(3.0 / np.sqrt(2.0)))
    assert start.mean("b") == 2.0
    assert np.isnan([start.spread("b"), start.mean("c"), start.spread("c")]).all()
