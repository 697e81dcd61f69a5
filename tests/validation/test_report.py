"""The report: one page that needs nothing else, and the same in Markdown."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from tests.validation.runs import Runs
from validation import RECURRENT, STUDIES, report
from validation.cli import cli

RECORD = {
    "study": "rank",
    "question": "Is 1 < 2 & 2 > 1?",
    "verdict": "passed (1 of 1 checks)",
    "passed": True,
    "checks": [
        {"name": "means", "test": "|z| < 4 & so on", "worst": 2.5, "limit": 4.0, "values": 12}
    ],
    "findings": ["It is <b>so</b>."],
    "quick": False,
    "command": "python -m validation run rank --seed=0",
    "versions": {"python": "3.11", "numpy": "2.0"},
}


def kept(folder, picture=b"\x89PNG picture", **changes):
    record = RECORD | changes
    place = folder / record["study"]
    place.mkdir(exist_ok=True)
    (place / "result.json").write_text(json.dumps(record))
    if picture:
        (place / "figure.png").write_bytes(picture)


class Page(HTMLParser):
    """Tags, attributes and the text that a reader sees."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.open, self.text = [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [v for k, v in attributes if k in ("src", "href", "srcset", "data")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_needs_nothing_else(tmp_path):
    kept(tmp_path)
    written, missing = report.write(tmp_path)
    assert written == [tmp_path / "report.html", tmp_path / "report.md"]
    assert missing == [name for name in (*STUDIES, *RECURRENT) if name != "rank"]
    text = written[0].read_text()
    page = Page(text)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    anchor, picture = page.links
    assert anchor == "#rank"
    assert base64.b64decode(picture.removeprefix("data:image/png;base64,")) == b"\x89PNG picture"


def test_everything_is_told_as_it_is(tmp_path):
    kept(tmp_path)
    report.write(tmp_path)
    page = Page((tmp_path / "report.html").read_text())
    for words in (
        RECORD["question"],
        RECORD["verdict"],
        RECORD["command"],
        *RECORD["findings"],
        "|z| < 4 & so on",
        "2.5",
        "python 3.11, numpy 2.0",
    ):
        assert words in page.text, words
    markdown = (tmp_path / "report.md").read_text()
    assert "| means | \\|z\\| < 4 & so on | 2.5 | 4 | 12 |" in markdown
    assert r"- It is \<b>so\</b>." in markdown  # raw HTML would be taken for what it says
    assert "![Figure of the study rank](rank/figure.png)" in markdown
    assert "[rank](#rank)" in markdown


def test_studies_of_recurrent_networks_are_told_behind_the_others(tmp_path):
    kept(tmp_path, study="rnn-forgetting", question="And recurrent ones?")
    _, missing = report.write(tmp_path)
    assert missing == [*STUDIES, *(name for name in RECURRENT if name != "rnn-forgetting")]
    kept(tmp_path)
    _, missing = report.write(tmp_path)
    assert not {"rank", "rnn-forgetting"} & set(missing)
    page = Page((tmp_path / "report.html").read_text())
    assert page.links[:2] == ["#rank", "#rnn-forgetting"]
    markdown = (tmp_path / "report.md").read_text()
    assert markdown.index("## rank") < markdown.index("## rnn-forgetting")
    assert "| [rnn-forgetting](#rnn-forgetting) | passed (1 of 1 checks) |" in markdown
    assert "![Figure of the study rnn-forgetting](rnn-forgetting/figure.png)" in markdown


def test_a_bar_does_not_end_a_cell_of_the_markdown(tmp_path):
    check = RECORD["checks"][0] | {"name": "|dW|"}
    kept(tmp_path, passed=False, verdict="FAILED (|dW|)", checks=[check])
    report.write(tmp_path)
    markdown = (tmp_path / "report.md").read_text()
    assert "| [rank](#rank) | FAILED (\\|dW\\|) |" in markdown
    assert "| \\|dW\\| | \\|z\\| < 4 & so on | 2.5 | 4 | 12 |" in markdown


def test_a_quick_grid_is_said_to_be_one(tmp_path):
    kept(tmp_path, quick=True)
    report.write(tmp_path)
    assert "passed (1 of 1 checks) on the quick grid" in (tmp_path / "report.html").read_text()
    assert "passed (1 of 1 checks) on the quick grid" in (tmp_path / "report.md").read_text()


def test_a_failure_is_shown(tmp_path):
    check = RECORD["checks"][0] | {"worst": None}
    kept(tmp_path, passed=False, verdict="FAILED (means)", checks=[check])
    report.write(tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert re.search(r'class="failed">FAILED \(means\)<', text)
    assert "not finite" in text


def test_cases_that_failed_leave_no_figure(tmp_path):
    kept(tmp_path, picture=None, passed=False, verdict="FAILED (1 of 3 cases)", checks=[])
    report.write(tmp_path)
    assert "img" not in Page((tmp_path / "report.html").read_text()).tags
    assert "![" not in (tmp_path / "report.md").read_text()


CHECK = RECORD["checks"][0]
WRONG = [
    {"study": "noise"},  # another study's
    {"study": 3},
    {"question": None},
    {"verdict": 1.0},
    {"passed": "yes"},
    {"quick": 0},
    {"checks": None},
    {"checks": {}},
    {"checks": [3]},
    {"checks": [CHECK | {"name": 1}]},
    {"checks": [CHECK | {"test": None}]},
    {"checks": [CHECK | {"worst": "2"}]},
    {"checks": [CHECK | {"worst": True}]},
    {"checks": [CHECK | {"limit": None}]},
    {"checks": [CHECK | {"limit": 10**400}]},
    {"checks": [CHECK | {"values": 2.5}]},
    {"findings": "one"},
    {"findings": [1]},
    {"command": ["python"]},
    {"versions": []},
    {"versions": {"python": 3}},
]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"study": 1',
        "[" * 100_000,
        *(json.dumps(RECORD | wrong) for wrong in WRONG),
        *(json.dumps({k: v for k, v in RECORD.items() if k != key}) for key in ("quick", "checks")),
    ],
)
def test_a_result_that_is_none_is_named(tmp_path, content):
    kept(tmp_path)
    (tmp_path / "rank" / "result.json").write_text(content)
    done = CliRunner().invoke(cli, ["report", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert done.output.count("\n") == 1
    assert "result.json: is no result of a study; run it again" in done.output


def test_words_of_a_result_have_no_power_over_the_pages(tmp_path):
    words = "\x1b[31m <script>x</script> | `_a_` \u202e"
    check = CHECK | {"name": words}
    kept(tmp_path, question=words, verdict=words, checks=[check], findings=[words], command=words)
    report.write(tmp_path)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert all(c.isprintable() or c == "\n" for c in text)
        assert "\\x1b" in text
    assert "script" not in Page((tmp_path / "report.html").read_text()).tags
    markdown = (tmp_path / "report.md").read_text()
    assert markdown.count("<script>") == markdown.count(r"\<script>") + 1  # the code at the end


def test_no_results_say_how_to_make_them(tmp_path):
    done = CliRunner().invoke(cli, ["report", "--out", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert "holds no results; python -m validation run all makes them" in done.output


def test_from_a_run_to_its_report(tmp_path):
    runs = Runs(tmp_path)
    assert runs.run()[0] == 0
    assert runs.run("--force", "--seed", "3")[0] == 0
    done = subprocess.run(
        [sys.executable, "-m", "validation", "report"],
        cwd=runs.folder,
        env={"TINY": str(runs.behaviour), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "not run yet" not in done.stdout
    text = (runs.folder / "validation-results" / "report.html").read_text()
    assert "python -m validation run tiny --seed=3" in text
    assert "data:image/png;base64," in text
