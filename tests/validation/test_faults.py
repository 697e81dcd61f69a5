"""Seeded faults: what is changed, which tests are taken, how a fault ends."""

from __future__ import annotations

import ast
import importlib.util
import sys
import textwrap
from pathlib import Path

from validation import faults
from validation.faults import LIBRARY, Trial, chosen, end_of
from validation.reach import PROCESS, block_of, marked

SOURCE = textwrap.dedent('''\
    """Text."""

    from __future__ import annotations

    LIMIT = 3


    def sign(x: float, least: float = 0.0) -> int:
        """Text."""
        if x < least:
            return -1
        elif x > least:
            return 1
        return 0
''')


def test_a_fault_is_one_change_and_the_same_for_the_same_seed():
    found = chosen(SOURCE, 100, "seed")
    assert found == chosen(SOURCE, 100, "seed")
    assert chosen(SOURCE, 3, "seed") != chosen(SOURCE, 3, "other")
    names = [(line, what) for line, what, _ in found]
    assert len(set(names)) == len(names)
    assert {(5, "constant 3->4"), (8, "constant 0.0->1.0"), (10, "compare Lt->LtE")} <= set(names)
    assert (11, "drop a sign") in names
    assert (9, "delete a statement") not in names
    whole = ast.unparse(ast.parse(SOURCE)).splitlines()
    for _, what, changed in found:
        lines = changed.splitlines()
        if what != "delete a statement":
            assert sum(a != b for a, b in zip(whole, lines, strict=True)) == 1


def test_marked_blocks_say_that_they_run(monkeypatch):
    monkeypatch.setattr(sys, "reached", set(), raising=False)
    module: dict[str, object] = {}
    exec(compile(marked(SOURCE, "m.py"), "m.py", "exec"), module)  # noqa: S102
    assert sys.reached == set()
    assert module["sign"](2.0) == 1
    assert sys.reached == {"m.py:8", "m.py:12", "m.py:13"}
    tree = ast.parse(SOURCE)
    assert [block_of(tree, line) for line in (5, 8, 10, 11, 12, 13, 14)] == [
        None, 8, 8, 11, 12, 13, 8,
    ]  # fmt: skip


def test_a_fault_is_tried_by_the_tests_that_run_its_block_its_own_first():
    reach = {
        "tests/theory/deep/test_mode.py::far": (0.1, ["start/task.py:8"]),
        "tests/theory/start/test_network.py::room": (2.0, ["start/task.py:8"]),
        "tests/theory/start/test_task.py::slow": (3.0, ["start/task.py:8", "start/task.py:11"]),
        "tests/theory/start/test_task.py::quick": (1.0, ["start/task.py:8"]),
        "tests/theory/start/test_task.py::other": (1.0, ["start/task.py:12"]),
        "tests/theory/start/test_network.py::process": (1.0, [PROCESS]),
        "tests/theory/cli/test_process.py::process": (1.0, [PROCESS]),
        "tests/theory/cli/test_curve.py::user": (1.0, ["start/network.py:8"]),
    }
    module = LIBRARY / "start/task.py"

    def names(block, users=()):
        return [test.split("::")[1] for test in faults.tests_of(module, block, reach, set(users))]

    assert names(8) == ["quick", "slow", "process", "room", "far"]
    assert names(11) == ["slow", "process"]
    assert names(None) == ["quick", "other", "slow", "process", "room", "far"]
    assert names(None, ["start/network.py"])[-1] == "user"


def test_a_copy_tells_a_fault_that_is_seen_from_one_that_is_not(tmp_path):
    """Tests of a small library, run as those of this one are."""
    module, test = Path("theory/sign.py"), "tests/test_sign.py::test_one"
    for path in ("theory", "tests", "validation"):
        (tmp_path / path).mkdir()
    plugin = Path(__file__).parents[2] / "validation" / "reach.py"
    (tmp_path / "validation" / "__init__.py").write_text("")
    (tmp_path / "validation" / "reach.py").write_text(plugin.read_text())
    (tmp_path / module).write_text(SOURCE)
    (tmp_path / "tests" / "test_sign.py").write_text(
        "from sign import sign\n\ndef test_one():\n    assert sign(2.0) == 1\n"
        "\ndef test_not_listed():\n    assert False\n"
    )

    def end(changed):
        return end_of(tmp_path, Trial("", module, 1, changed, [test]), [test], {test: (0.0, [])})

    assert end(SOURCE.replace("x > least", "x < least")) == "killed"
    assert end(SOURCE.replace("x > least", "x >= least")) == "survived"
    assert (tmp_path / module).read_text() == SOURCE


def test_a_loaded_function_takes_a_fault_in_and_a_default_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "ROOT", tmp_path)
    path = Path("sign.py")
    (tmp_path / path).write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("sign", tmp_path / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def put_in(line, changed):
        return faults._function(Trial("", path, line, changed, []))

    change = put_in(13, SOURCE.replace("return 1", "return 2"))
    assert module.sign(3.0) == 1
    change()
    assert module.sign(3.0) == 2
    for line, old, new in ((5, "LIMIT = 3", "LIMIT = 4"), (8, "= 0.0", "= 1.0")):
        assert put_in(line, SOURCE.replace(old, new)) is None
