"""The command as a process: what it imports, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import richlazy as rl
from richlazy import connectomes
from richlazy.cli import main
from richlazy.sources import source as sources
from tests.theory.cli.commands import contents, succeed
from tests.theory.report.reports import WRITTEN

COMMAND = Path(sys.executable).with_name("richlazy")


def process(*arguments, **options):
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, check=False, **options
    )


def test_the_installed_command():
    done = process(
        "predict", "flat:rank=5,norm=1", "--inputs", "100", "--alignment", "0.3", "--json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["method"] == "closed form (T6)"
    done = process("predict", "ragged.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "richlazy: ragged.csv, line 2: must have 2 cells like line 1; it has 1\n"
    done = process("curve", "rank")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "richlazy: Missing option '--inputs' (see richlazy curve --help)\n"


def test_an_interrupted_process_ends_with_one_line(folder):
    """The signal comes while the report is computed: the process sends it to itself."""
    code = (
        "import os, signal; from richlazy import cli; from richlazy.report import contents;"
        "contents.make = lambda *_: os.kill(os.getpid(), signal.SIGINT);"
        "cli.main(prog_name='richlazy')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "report", "w.csv", "--out", "new"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.strip() == "richlazy: interrupted"
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    "arguments", [("curve", "rank", "--inputs", "500"), ("predict", "w.csv", "--json")]
)
def test_a_reader_that_leaves_early_is_no_error(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([COMMAND, *arguments], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 1


OUTPUTS = [
    ["--version"],
    ["--help"],
    [],
    ["curve", "rank", "--inputs", "500"],
    ["predict", "w.csv"],
    ["predict", "w.csv", "--json"],
]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
@pytest.mark.parametrize("arguments", OUTPUTS)
def test_a_full_disk_behind_the_output_is_one_line(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (2, "richlazy: No space left on device\n")
        done = subprocess.run([COMMAND, *arguments], stdout=full, stderr=full, check=False)
        assert done.returncode == 2


@pytest.mark.parametrize("arguments", OUTPUTS)
def test_without_an_output_a_command_is_quiet(arguments):
    def closed():
        os.close(1)

    done = process(*arguments, preexec_fn=closed)
    assert (done.returncode, done.stderr) == (0, "")


PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
STRICT = {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}


@pytest.mark.parametrize("settings", [PLAIN, STRICT])
def test_a_terminal_that_knows_ascii_only(settings, monkeypatch):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    code = (
        "from richlazy.cli import main; from richlazy.report import first_layer, output;"
        "first_layer.REPLICATES, output.render = 2, lambda *_: b''; main(prog_name='richlazy')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "report", "größe κ.csv", "--out", "ö"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\xb1" in done.stdout  # plus or minus
    assert sorted(os.listdir("ö")) == WRITTEN
    done = process("predict", "κ.csv")
    assert done.returncode == 2
    assert done.stderr.startswith("richlazy: ")
    assert done.stderr.endswith(".csv: no such file\n")
    done = process("curve", "rank", "--inputs", "5", "--out", "κ.csv")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_that_is_not_utf_8(folder):
    name = b"x\xff\x1b[31m.csv"
    shutil.copy("w.csv", name)
    done = process("predict", name, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["start"] == r"x\xff\x1b[31m"
    done = process("curve", "rank", "--inputs", "5", "--out", b"out" + name)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "wrote outx\\xff\\x1b[31m.csv\n"
    done = process("predict", b"no" + name)
    assert (done.returncode, done.stderr) == (2, "richlazy: nox\\xff\\x1b[31m.csv: no such file\n")
    done = process("predict", "w.csv", b"--" + name)
    assert done.returncode == 2
    assert done.stderr[:-1].isprintable()


@pytest.mark.parametrize(
    "settings",
    [
        "text.usetex: True\nfont.family: NoSuchFont\nsavefig.dpi: 10\nno.such.key: 1\n",
        "font.size: large enough\n: :\nbackend: nosuch\naxes.prop_cycle: cycler(\n",
    ],
)
def test_a_user_s_own_settings_do_not_reach_our_figures(folder, settings):
    arguments = ("curve", "rank", "--inputs", "5", "--out")
    assert process(*arguments, "plain.png").returncode == 0
    (folder / "matplotlibrc").write_text(settings)
    done = process(*arguments, "ours.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "ours.png").read_bytes() == (folder / "plain.png").read_bytes()


def test_settings_that_stop_matplotlib_are_one_line(monkeypatch, folder):
    arguments = ("curve", "rank", "--inputs", "5", "--out", "ours.png")
    (folder / "matplotlibrc").write_bytes(b"font.size: 10 # \xff\xfe\n")
    said = "Matplotlib does not start with the settings that it found (matplotlibrc, MPLBACKEND)"
    for why in ("can't decode byte 0xff", "'nosuch' is not a valid value for backend"):
        done = process(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"richlazy: {said}; mend or remove them: ")
        assert why in done.stderr
        assert done.stderr.count("\n") == 1
        (folder / "matplotlibrc").unlink(missing_ok=True)
        monkeypatch.setenv("MPLBACKEND", "nosuch")
    assert not (folder / "ours.png").exists()


def test_what_matplotlib_says_of_its_cache_is_not_seen(monkeypatch):
    monkeypatch.setenv("MPLCONFIGDIR", os.devnull)
    done = process("curve", "rank", "--inputs", "5", "--out", "curve.svg")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "wrote curve.svg\n")


def test_a_warning_that_is_asked_for_is_shown(monkeypatch, folder):
    """Of another library: as PYTHONWARNINGS says."""
    (folder / "sitecustomize.py").write_text(
        "import warnings\nimport richlazy.sources.source as s\nfind = s.find\n"
        "def warned(text, **reading):\n"
        "    warnings.warn_explicit('old', UserWarning, 'other.py', 1, module='other')\n"
        "    return find(text, **reading)\n"
        "s.find = warned\n"
    )
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    assert process("predict", "w.csv").stderr == ""
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    assert "UserWarning: old" in process("predict", "w.csv").stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_report_that_is_ended_leaves_the_old_one(folder, number):
    process("report", "w.csv", "--out", "out")
    old = contents(folder)
    running = subprocess.Popen(
        [COMMAND, "report", "edges.csv", "--out", "out", "--force"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.5)
    running.send_signal(number)
    running.communicate()
    assert running.returncode != 0
    assert contents(folder) == old


@pytest.mark.parametrize(
    "arguments",
    [[], ["-h"], ["--version"], *([name, "--help"] for name in main.commands)],
)
def test_help_pays_for_click_only(arguments):
    code = (
        "import sys; from richlazy.cli import main\n"
        "try: main(sys.argv[1:], prog_name='richlazy')\n"
        "finally: print([m for m in ('numpy', 'scipy', 'rich', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    shown, heavy = done.stdout.rstrip().rsplit("\n", 1)
    assert heavy == "[]"
    if arguments == ["--version"]:
        assert shown == f"richlazy, version {rl.__version__}"
    else:
        assert shown.startswith("Usage: richlazy ")


def test_the_command_alone_is_its_help():
    assert succeed() == succeed("--help")


def test_help_names_every_family_connectome_and_suffix():
    text = " ".join(succeed("predict", "--help").split())
    for family, (_, needed) in sources.FAMILIES.items():
        assert f"{family}:{needed[0]}=" in text
    shipped = connectomes.names()
    assert f"{shipped[3]} ... {shipped[-1]}" in text
    for word in (*shipped[:4], ".npy", ".npz", ".csv", ".tsv", ".mtx", "NUMBER|keep"):
        assert word in text
