"""Version, licence and citation say the same everywhere, and so do the workflows."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in (ROOT / ".github" / "workflows").glob("*.yml")
}


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_version_and_licence_are_one():
    assert CITATION["version"] == PROJECT["version"] == importlib.metadata.version("richlazy")
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["title"].startswith(f"{PROJECT['name']}: ")


def test_the_changelog_has_the_version_and_its_date():
    releases = re.findall(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", CHANGELOG, re.MULTILINE)
    if releases:
        assert releases[0] == (PROJECT["version"], str(CITATION["date-released"]))
    else:  # not released: no date, and the version is the one that is being made
        assert "date-released" not in CITATION
        unreleased = CHANGELOG.split("## [Unreleased]")[1]
        assert f"The first version, {PROJECT['version']}." in unreleased


def test_no_badge_stands_for_what_is_not_there():
    for badge in re.findall(r"!\[[^]]*\]\((https?://[^)]*)\)", README):
        name = re.search(r"/workflows/([^/]+\.yml)/badge\.svg", badge)
        assert name, badge
        assert name[1] in WORKFLOWS


def test_the_workflows_call_what_is_run_here():
    assert set(WORKFLOWS) == {"ci.yml", "site.yml"}
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert ".ci/run" in [step.get("run") for step in steps(WORKFLOWS["ci.yml"])]
    site = [step["run"] for step in steps(WORKFLOWS["site.yml"]) if "run" in step]
    build = "-m sphinx -W --keep-going -q docs "
    assert any(build in line for line in site)
    assert build in run


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_name_their_versions(name):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    for step in steps(WORKFLOWS[name]):
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
        if "python-version" in step.get("with", {}):
            assert step["with"]["python-version"] in SpecifierSet(PROJECT["requires-python"])
    for job in WORKFLOWS[name]["jobs"].values():
        assert job["runs-on"] == "ubuntu-24.04"
