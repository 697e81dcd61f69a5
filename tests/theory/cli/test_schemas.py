"""What commands write as JSON is what `docs/schema` says, and nothing beside it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from tests.theory.cli.commands import csv_text, succeed

SCHEMAS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in (Path(__file__).parents[3] / "docs" / "schema").glob("*.json")
}


@pytest.fixture(autouse=True)
def files(folder):
    rng = np.random.default_rng(0)
    (folder / "circuit.csv").write_text(csv_text(rng.standard_normal((12, 12))))
    (folder / "named.csv").write_text("unit,x,y\na,1.5,-2\nb,0.5,1\nc,3.25,1\n")
    np.save("X.npy", rng.standard_normal((20, 6)))
    np.save("Y.npy", rng.standard_normal((20, 2)))
    for step in ("before", "after"):
        np.savez(f"{step}.npz", w=rng.standard_normal((3, 4)), b=rng.standard_normal(3))
        np.savez(f"k_{step}.npz", k=np.diag(rng.uniform(1, 2, 5)))
        np.savez(f"h_{step}.npz", one=rng.standard_normal((8, 3)), two=np.zeros((8, 3)))


def check(name, text):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    found = json.loads(text, parse_constant=refuse)
    jsonschema.validate(found, SCHEMAS[name], jsonschema.Draft202012Validator)
    return found


def objects(schema):
    """Every part of a schema that lists names."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("type") is not None:
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_allows_nothing_that_it_does_not_name(name):
    schema = SCHEMAS[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"].startswith(("richlazy ", "report.json"))
    assert list(objects(schema))
    assert all(part["additionalProperties"] is False for part in objects(schema))


@pytest.mark.parametrize(
    "arguments",
    [
        "flat:rank=5,norm=1 --inputs 100",
        "flat:rank=5,norm=1 --inputs 100 --alignment 0.3 --time 2",
        "w.csv",
        "w.csv --task beta.csv",
        "w.csv --data X.npy Y.npy",
        "circuit.csv",
        "circuit.csv --as first-layer --outputs 2",
        "edges.csv --as recurrent --steps 2",
        "s.csv --as recurrent --units 6 --steps 2",
        "named.csv --index yes --header yes",
    ],
)
def test_predict(arguments):
    check("predict", succeed("predict", *arguments.split(), "--json"))


def test_predict_where_one_reading_is_refused(monkeypatch):
    from richlazy.cli import first_layer, recurrent
    from richlazy.errors import ConvergenceError

    def refuse(*_):
        raise ConvergenceError("does not settle")

    for module, key in ((recurrent, "recurrent"), (first_layer, "first_layer")):
        with monkeypatch.context() as patched:
            patched.setattr(module, "answer", refuse)
            found = check("predict", succeed("predict", "circuit.csv", "--json"))
        assert found[key] == {"refused": "does not settle"}


@pytest.mark.parametrize(
    "arguments",
    ["before.npz after.npz", "w.npy w.npy", "before.npz after.npz --kernel k_before.npz k_after.npz"
     " --activations h_before.npz h_after.npz"],
)  # fmt: skip
def test_measure(arguments):
    check("measure", succeed("measure", *arguments.split(), "--json"))


@pytest.mark.parametrize(
    "arguments",
    [
        "rank --inputs 5",
        "alignment --inputs 5 --rank 2",
        "time --inputs 5 --rank 2",
        "depth --start 0.01",
        "boundary --inputs 5",
        "slopes --inputs 5",
        "peak --inputs 5",
        "time --as recurrent --units 4 --rank 2 --steps 2",
        "time w.csv",
    ],
)
def test_curve(arguments):
    succeed("curve", *arguments.split(), "--out", "curve.json")
    found = check("curve", Path("curve.json").read_text())
    assert {len(column) for column in found["columns"].values()} == {len(found["x"])}


@pytest.mark.parametrize(
    "arguments",
    [
        "rank scale --inputs 5 --x 1,2 --y 1,2,3",
        "depth time --start 0.01",
        "rank gain --units 4 --steps 2 --x 1,4 --y 0.5 --tasks 2",
    ],
)
def test_map(arguments):
    found = check("map", succeed("map", *arguments.split(), "--json"))
    for column in found["columns"].values():
        assert np.shape(column) == (len(found["y"]), len(found["x"]))


@pytest.mark.parametrize("inputs", [("w.csv",), ("circuit.csv", "--as", "both"),
                                    ("circuit.csv", "edges.csv", "--as", "recurrent")])  # fmt: skip
def test_report(inputs, few):
    succeed("report", *inputs, "--steps", "2", "--out", "made")
    check("report", Path("made/report.json").read_text())


def test_doctor():
    check("doctor", succeed("doctor", "--json"))


def test_a_name_that_the_schema_does_not_know_fails():
    text = succeed("predict", "flat:rank=5,norm=1", "--inputs", "100", "--json")
    for spoilt in (
        {**json.loads(text), "new": 1},
        {name: value for name, value in json.loads(text).items() if name != "verdict"},
        {**json.loads(text), "kernel_alignment": 0.5},
    ):
        with pytest.raises(jsonschema.ValidationError):
            check("predict", json.dumps(spoilt))
