"""A short run of the fuzzer; `python -m tests.theory.sources.fuzzing` is the long one."""

from __future__ import annotations

import pytest

from tests.theory.sources import fuzzing


def test_every_valid_file_is_read(put):
    for name, content in fuzzing.seeds().items():
        path = put(name, content)
        read = fuzzing.files.read(path)
        assert fuzzing.silent_change(read, name, content) is None, name


@pytest.mark.parametrize("part", range(4))
def test_damaged_files_are_read_right_or_refused(tmp_path, part):
    valid = fuzzing.seeds()
    for number in range(100 * part, 100 * part + 100):
        name, what, fault, _ = fuzzing.one(number, tmp_path, valid)
        assert fault is None, (number, name, what, fault)
