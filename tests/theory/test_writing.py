"""Files and folders of results: whole or as they were, whatever ends the program on its way."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from richlazy import writing
from richlazy.errors import FileError

OLD = {"a.txt": b"old a", "b.txt": b"old b", "c.txt": b"old c"}
NEW = {"a.txt": b"new a", "b.txt": b"new b", "c.txt": b"new c"}

#: Writes NEW into the folder "out" and ends itself by a signal at a given call of the system.
ENDED = """
import os, signal, sys
from richlazy import writing

at, number, new = int(sys.argv[1]), int(sys.argv[2]), {name!r}
count = iter(range(10**9))

def counted(call):
    def instead(*arguments, **options):
        if next(count) == at:
            os.kill(os.getpid(), number)
        return call(*arguments, **options)
    return instead

for name in ("fsync", "rename", "replace", "unlink", "rmdir", "mkdir", "chmod"):
    setattr(os, name, counted(getattr(os, name)))
writing.write_folder("out", new)
print(next(count))
"""


def held(folder):
    """Every file below a folder, None if it is not there."""
    if not folder.exists():
        return None
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def filled(folder, files=OLD):
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def test_a_folder_is_made_with_its_parents(tmp_path):
    writing.write_folder(tmp_path / "one" / "two", NEW)
    assert held(tmp_path / "one" / "two") == NEW
    assert os.listdir(tmp_path) == ["one"]
    assert os.listdir(tmp_path / "one") == ["two"]


@pytest.mark.parametrize("before", [{}, OLD, {"a.txt": b"old a"}])
def test_a_folder_is_replaced_with_its_permissions(tmp_path, before):
    folder = filled(tmp_path / "out", before)
    folder.chmod(0o750)
    writing.write_folder(folder, NEW)
    assert held(folder) == NEW
    assert folder.stat().st_mode & 0o777 == 0o750
    assert os.listdir(tmp_path) == ["out"]


def test_what_else_is_in_a_folder_stays(tmp_path):
    folder = filled(tmp_path / "out", {})
    filled(folder / "deeper", {"mine.txt": b"mine"})
    (folder / "link").symlink_to("deeper/mine.txt")
    inode, mine = folder.stat().st_ino, {"deeper/mine.txt": b"mine", "link": b"mine"}
    writing.write_folder(folder, NEW)
    assert held(folder) == {**NEW, **mine}
    assert (folder / "link").is_symlink()
    assert folder.stat().st_ino == inode
    assert os.listdir(tmp_path) == ["out"]


def refused(folder, why):
    """That nothing is written, and said before anything is computed."""
    before = held(folder)
    for ask in (
        lambda: writing.write_folder(folder, NEW),
        lambda: writing.output_folder(folder, force=True, names=NEW),
    ):
        with pytest.raises(FileError, match=rf"cannot be replaced as a whole, as .*{why}.*; name"):
            ask()
    assert held(folder) == before
    assert os.listdir(folder.parent) == ["out"]


def test_one_file_is_never_replaced_without_the_others(tmp_path, monkeypatch):
    folder = filled(tmp_path / "out", OLD | {"mine.txt": b"mine"})
    refused(folder, r"it holds other things too, such as 'mine\.txt'")
    (folder / "mine.txt").unlink()
    monkeypatch.chdir(folder)
    refused(folder, "we stand in it")
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as locked:
        locked.setattr(writing.os, "access", lambda path, _: path != tmp_path)
        refused(folder, "there is no permission to write in ")
    writing.write_folder(folder, NEW)
    assert held(folder) == NEW


def test_the_folder_we_stand_in_and_a_link_to_a_folder_stay_what_they_are(tmp_path, monkeypatch):
    folder = filled(tmp_path / "out", {})
    inode = folder.stat().st_ino
    monkeypatch.chdir(folder)
    writing.write_folder(".", NEW)
    assert (held(folder), folder.stat().st_ino) == (NEW, inode)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("out")
    writing.write_folder("link", OLD)
    assert (tmp_path / "link").is_symlink()
    assert held(folder) == OLD
    assert sorted(os.listdir(tmp_path)) == ["link", "out"]


def test_a_system_that_exchanges_no_folders(tmp_path, monkeypatch):
    folder = filled(tmp_path / "out")
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    writing.write_folder(folder, NEW)
    assert (held(folder), os.listdir(tmp_path)) == (NEW, ["out"])
    rename, before = os.rename, held(folder)

    def full(source, target):
        if target == folder and "aside" not in done:
            done.append("aside")
            raise OSError(28, "No space left on device")
        rename(source, target)

    done = []
    monkeypatch.setattr(writing.os, "rename", full)
    with pytest.raises(FileError, match="No space left on device"):
        writing.write_folder(folder, OLD)
    assert (held(folder), os.listdir(tmp_path)) == (before, ["out"])


def test_nothing_goes_where_one_file_cannot_come(tmp_path):
    folder = filled(tmp_path / "out", {"a.txt": b"old a", "b.txt": b"old b"})
    (folder / "c.txt").mkdir()
    with pytest.raises(FileError, match=r"c\.txt: is a folder, where a file has to go$"):
        writing.write_folder(folder, NEW)
    assert held(folder) == {"a.txt": b"old a", "b.txt": b"old b"}


@pytest.mark.parametrize("before", [None, OLD])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, before):
    folder = tmp_path / "deeper" / "out"
    if before is not None:
        folder.parent.mkdir()
        filled(folder, before)
    synced = iter([None, None])

    def full(_):
        if next(synced, 28) == 28:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(FileError, match=r"out: cannot be written \(No space left on device\)$"):
        writing.write_folder(folder, NEW)
    assert held(folder) == before
    assert os.listdir(tmp_path) == ([] if before is None else ["deeper"])


def ended(folder, at, number, new=NEW):
    """Run `ENDED`; whether it came to its end, and how many calls that took."""
    done = subprocess.run(
        [sys.executable, "-c", ENDED.format(name=new), str(at), str(int(number))],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done


@pytest.mark.parametrize("before", [None, OLD])
def test_a_kill_at_any_call_leaves_old_or_new_and_never_both(tmp_path, before):
    """Of a folder that holds nothing else; a temporary one may be left beside it."""
    seen = []
    for at in range(100):
        place = tmp_path / str(at)
        place.mkdir()
        if before is not None:
            filled(place / "out", before)
        done = ended(place, at, signal.SIGKILL)
        seen.append(held(place / "out"))
        assert seen[-1] in (before, NEW), at
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    assert before in seen[:-1]
    assert seen[-1] == NEW


@pytest.mark.parametrize("mine", [False, True])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_waits_until_all_is_written(tmp_path, number, mine):
    """Even where others' files are in the folder."""
    other = {"mine.txt": b"mine"} if mine else OLD
    for at in range(0, 20, 3):
        place = tmp_path / str(at)
        place.mkdir()
        filled(place / "out", other)
        done = ended(place, at, number)
        assert held(place / "out") == (NEW | other if mine else NEW)
        assert os.listdir(place) == ["out"]
        if done.stdout:
            break
        assert done.returncode == -number
    assert at > 3


def test_signals_at_random_moments_leave_no_temporary_file(tmp_path):
    """A file is written over and over, and the program ended from outside."""
    code = (
        "from richlazy import writing\nprint(flush=True)\n"
        "for k in range(10**9): writing.write_bytes('file', b'%06d' % (k % 2) * 10000)"
    )
    moments = random.Random(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT) * 3:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        process.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.05))
        process.send_signal(number)
        assert process.wait(30) == -number
        process.stdout.close()
        assert os.listdir(tmp_path) in ([], ["file"])
        with contextlib.suppress(FileNotFoundError):
            content = (tmp_path / "file").read_bytes()
            assert content in (b"000000" * 10000, b"000001" * 10000)


def test_handlers_are_as_they_were(tmp_path):
    def mine(*_):
        came.append(1)

    came = []
    before = signal.signal(signal.SIGTERM, mine)
    try:
        writing.write_bytes(tmp_path / "file", b"")
        assert signal.getsignal(signal.SIGTERM) is mine
        os.kill(os.getpid(), signal.SIGTERM)
        assert came == [1]
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_file_is_there_in_full_or_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "file"
    for text in ("größe\r\n", "shorter"):
        writing.write_text(path, text)
        assert held(tmp_path) == {"file": text.encode()}

    def full(*arguments):
        raise OSError(28, "No space left on device")

    for call in ("replace", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            with pytest.raises(FileError, match=r"cannot be written \(No space left on device\)"):
                writing.write_bytes(path, b"new")
        assert held(tmp_path) == {"file": b"shorter"}


def test_a_thread_writes_too(tmp_path):
    thread = threading.Thread(target=writing.write_folder, args=(tmp_path / "out", NEW))
    thread.start()
    thread.join()
    assert held(tmp_path / "out") == NEW


@pytest.mark.parametrize("path", ["new", "new/deeper", "there", "there/new"])
def test_asking_for_a_folder_makes_nothing(tmp_path, monkeypatch, path):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    assert writing.output_folder(path) == Path(path)
    assert [str(p) for p in Path().rglob("*")] == ["there"]
    writing.make_folder(path)
    assert Path(path).is_dir()
