"""The reference documents every public name."""

from __future__ import annotations

import re
from pathlib import Path

import richlazy as rl

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_public_name_is_in_the_reference_once():
    text = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.md"))
    documented = re.findall(r"\.\. auto\w+:: richlazy\.(\S+)", text)
    assert len(documented) == len(set(documented))
    assert set(rl.__all__) <= set(documented)
