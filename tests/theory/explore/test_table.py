"""The recurrent tables: their cells are what the library says, and their grid is whole."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

import richlazy as rl
from richlazy.explore import table

CELLS = [(0, 0, 0), (1, 0, 5), (2, 1, 3), (4, 3, 5)]  # ratio, steps, gain


def cells(found):
    """Columns over (ratio, steps, gain, time), None as NaN."""
    shape = [len(found[name]) for name in ("ratios", "steps", "gains", "times")]
    return {
        name: np.array(values, dtype=np.float64).reshape(shape)
        for name, values in found["columns"].items()
    }


def test_the_shipped_table_is_small_and_whole():
    file = resources.files("richlazy.explore") / "recurrent.json"
    assert len(file.read_bytes()) < 300_000
    found = table.shipped()
    assert (found["units"], found["tasks"]) == (table.UNITS, table.TASKS)
    for name in ("ratios", "gains", "steps"):
        assert tuple(found[name]) == getattr(table, name.upper())
    assert tuple(float(t) for t in found["times"]) == table.TIMES
    columns = cells(found)
    names = {f"{name}{of}" for name in table.MEASURES for of in ("", "_standard_error")}
    assert set(columns) == names
    for name in names:
        assert np.all(np.isfinite(columns[name]))
    assert np.all(columns["kernel_alignment"] <= 1.0)
    assert np.all(np.diff(columns["loss"], axis=-1) <= 1e-6)


@pytest.mark.parametrize(("ratio", "steps", "gain"), CELLS)
def test_cells_are_what_the_table_is_made_of(ratio, steps, gain):
    shipped = cells(table.shipped())
    values = rl.spectrum.flat(round(table.RATIOS[ratio] * table.UNITS))
    course = table._course(values, table.UNITS, table.STEPS[steps], table.GAINS[gain], table.TASKS)
    for index, record in enumerate(course):
        for name in table.MEASURES:
            found = getattr(record, name)
            kept = shipped[name][ratio, steps, gain, index]
            error = shipped[f"{name}_standard_error"][ratio, steps, gain, index]
            # six digits and three, and what another processor rounds otherwise
            assert kept == pytest.approx(found.mean, rel=2e-5, abs=1e-9)
            assert error == pytest.approx(found.standard_error, rel=5.1e-3, abs=1e-9)


@pytest.mark.parametrize("index", [6, 9, 16])
def test_a_cell_is_the_expectation_that_the_library_is_asked_for(index):
    ratio, steps, gain = 2, 1, 3
    norm = table.GAINS[gain] * table.UNITS**0.5
    found = rl.recurrent.expect(
        rl.spectrum.flat(round(table.RATIOS[ratio] * table.UNITS), norm),
        steps=table.STEPS[steps],
        units=table.UNITS,
        tasks=table.TASKS,
        t=table.TIMES[index],
    )
    shipped = cells(table.shipped())
    for name in table.MEASURES:
        error = max(getattr(found, name).standard_error, 1e-6)
        kept = shipped[name][ratio, steps, gain, index]
        assert abs(kept - getattr(found, name).mean) < 0.02 * error, name


def test_the_size_of_the_typical_start_does_not_matter():
    """Units only say which participation ratio a ratio is."""
    a, b = (
        rl.recurrent.expect(
            rl.spectrum.flat(n // 2, 0.6 * n**0.5), 3, units=n, method="typical", tasks=5
        )
        for n in (100, 1000)
    )
    assert a.kernel_alignment.mean == pytest.approx(b.kernel_alignment.mean, rel=1e-6)


def test_a_table_of_ones_own_spectrum(monkeypatch):
    for name, value in (("STEPS", (2, 3)), ("GAINS", (0.5,)), ("TIMES", (1.0, np.inf))):
        monkeypatch.setattr(table, name, value)
    values, told = np.array([3.0, 2.0, 1.0, 0.0]), []
    found = table.of(values, 40, lambda: told.append(1), tasks=4)
    assert len(told) == 2
    assert found["times"] == [1.0, "inf"]
    assert found["ratios"] == pytest.approx([14.0**2 / 98.0 / 40])
    start = rl.spectrum.rescaled(values, 0.5 * 40**0.5)
    wanted = rl.recurrent.expect(start, 3, units=40, method="typical", tasks=4)
    kept = cells(found)["kernel_alignment"][0, 1, 0, 1]
    assert kept == pytest.approx(wanted.kernel_alignment.mean, abs=1e-3)
