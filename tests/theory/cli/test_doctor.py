"""`richlazy doctor`: versions, extras as pyproject has them, and a self-check that can fail."""

from __future__ import annotations

import importlib.metadata
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

import richlazy.cli.doctor as doctor
from richlazy.formulas import neuron
from tests.theory.cli.commands import run, succeed

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
#: Extras of those who work on the project itself.
OWN = {"test", "docs", "dev", "browser"}


def test_it_says_what_is_there_and_that_all_is_well():
    found = json.loads(succeed("doctor", "--json"))
    assert found["passed"]
    assert found["cpu_seconds"] < 5
    assert found["versions"]["numpy"] == np.__version__
    assert found["versions"]["richlazy"] == PROJECT["version"]
    assert all(one["threads"] >= 1 for one in found["blas"])
    assert found["extras"]["derivations"]["install"] is None  # the tests need it


def test_a_formula_that_is_off_ends_it_with_1(monkeypatch):
    right = neuron.trajectory
    monkeypatch.setattr(neuron, "trajectory", lambda s, c, t: right(s * 1.001, c, t))
    result = run("doctor")
    assert result.exit_code == 1
    assert "T6   closed form of flat low rank" in result.stdout
    assert "failed: T6" in result.stdout
    assert json.loads(run("doctor", "--json").stdout)["passed"] is False


def test_the_extras_are_those_of_the_project():
    assert set(doctor.EXTRAS) == set(PROJECT["optional-dependencies"]) - OWN


@pytest.mark.parametrize(
    ("requirement", "install"),
    [
        ("pip; extra == 'graphs'", None),
        ('pip>=20; extra == "graphs"', None),
        ("no-such-package; extra == 'graphs'", "pip install 'richlazy[graphs]'"),
        ("pip; extra == 'tables'", "pip install 'richlazy[graphs]'"),  # an older installation
    ],
)
def test_what_is_missing_has_its_line(requirement, install, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: ["numpy", requirement])
    assert doctor._extra("graphs")["install"] == install
