"""What the tests of the command share: files to give it, and what it must answer with."""

from __future__ import annotations

import json

import numpy as np
import scipy.io
import scipy.sparse
from click.testing import CliRunner

from richlazy.cli import main
from richlazy.report import first_layer as report
from richlazy.report import output as report_output
from richlazy.report import recurrent
from tests.theory.sources.reading import npy, stored

W = np.random.default_rng(0).standard_normal((4, 6)).round(3)
BETA = np.arange(1.0, 7.0)


def csv_text(rows):
    return "\n".join(",".join(map(repr, row)) for row in np.atleast_2d(rows).tolist()) + "\n"


FILES = {
    "w.csv": csv_text(W),
    "w.npy": npy(W),
    "w.mtx": stored(scipy.io.mmwrite, scipy.sparse.coo_array(W)),
    "größe κ.csv": csv_text(W),
    "[bold]$x_.csv": csv_text(W),
    "s.csv": "3\n2\n1\n0\n",
    "row.csv": "3,2,1,0\n",
    "one.csv": "0.5\n",
    "edges.csv": "pre,post,n\na,a,1\na,b,2\nb,c,-1\nb,c,-1\nc,a,3\n",
    "beta.csv": csv_text(BETA),
    "beta2.csv": csv_text([BETA, BETA[::-1]]),
    "beta4.csv": "1\n2\n3\n4\n",
    # what is wrong
    "empty.csv": "",
    "header.csv": "a,b\n",
    "ragged.csv": "1,2\n3\n",
    "text.csv": "1,2\nx,3\n",
    "nan.csv": "1,2\nnan,3\n",
    "inf.csv": "1,2\n3,inf\n",
    "zeros.csv": "0,0\n0,0\n",
    "zero_row.npy": npy(np.zeros((0, 3))),
    "zero_row.mtx": "%%MatrixMarket matrix coordinate real general\n0 3 0\n",
    "pickled.npy": stored(np.save, np.array([{}], dtype=object), allow_pickle=True),
    "complex.npy": npy(1j * np.eye(2)),
    "cube.npy": npy(np.ones((2, 2, 2))),
    "junk.npy": b"\x93NUMPY\x01junk",
    "junk.npz": b"PK\x03\x04junk",
    "junk.csv": bytes(range(256)),
    "huge.npy": npy(1e200 * np.eye(2)),
    "minus.csv": "3\n-1\n",
    "rising.csv": "1\n2\n3\n",
    "zero.csv": "0\n0\n0\n0\n0\n0\n",
    "edges_none.csv": "pre,post,n\n",
    "edges_short.csv": "pre,post,n\na,b\n",
    "edges_text.csv": "pre,post,n\na,b,many\n",
    "edges_unnamed.csv": "pre,post,n\na,,1\n",
    "weights.xlsx": b"PK",
    "exists.json": "mine",
    "full/mine.txt": "mine",
}


def work_in(folder, monkeypatch):
    """Put every file above into a folder and go there; forget what rich hears of the terminal."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    monkeypatch.chdir(folder)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return folder


def quick_reports(monkeypatch):
    """One replicate of each control, three draws of recurrent networks, and no picture."""
    monkeypatch.setattr(report, "REPLICATES", 1)
    monkeypatch.setattr(recurrent, "DRAWS", 3)
    monkeypatch.setattr(report_output, "render", lambda *_: b"")


def contents(folder):
    return {p: p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def run(*arguments):
    return CliRunner().invoke(main, arguments, prog_name="richlazy")


def succeed(*arguments):
    """The output of a command that must work and say nothing on stderr."""
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def fail(*arguments):
    """The one line of a command that must fail."""
    result = run(*arguments)
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, result.stdout) == (2, "")
    line, end = result.stderr[:-1], result.stderr[-1]
    assert (end, line.count("\n")) == ("\n", 0)
    assert line.startswith("richlazy: ")
    return line.removeprefix("richlazy: ")


def answer(*arguments):
    """The JSON that `predict` prints, which must be all that it prints."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(succeed("predict", *arguments, "--json"), parse_constant=refuse)
