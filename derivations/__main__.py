"""Command line: ``python -m derivations [ID] [--latex]`` and ``... javascript [--out FILE]``."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from derivations import MODULES, load

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """List the derivations, print one with the outcome of its checks, or write its JavaScript."""
    parser = argparse.ArgumentParser(prog="python -m derivations", description=main.__doc__)
    parser.add_argument("id", nargs="?", help="the derivation to print, such as T6, or javascript")
    parser.add_argument("--latex", action="store_true", help="print LaTeX instead of text")
    parser.add_argument("--out", help="where javascript goes, - to print it; default: the library")
    options = parser.parse_args(arguments)
    if options.out is not None and options.id != "javascript":
        parser.error("--out goes with javascript")
    if options.id is None:
        print(_known())
        return 0
    if options.id not in (*MODULES, "javascript"):
        print(f"unknown derivation {options.id!r}; the known ones are\n{_known()}", file=sys.stderr)
        return 2
    if missing := [name for name in ("sympy", "mpmath") if find_spec(name) is None]:
        needed = " and ".join(missing)
        print(f'derivations need {needed}: pip install "richlazy[derivations]"', file=sys.stderr)
        return 2
    # Only now, because SymPy is an extra: everything above must run without it.
    if options.id == "javascript":
        return _write_javascript(options.out)
    from derivations.frame.render import render

    derivation = load(options.id)
    print(render(derivation, latex=options.latex))
    return 1 if any(failure for _, failure in derivation.outcomes) else 0


def _write_javascript(out: str | None) -> int:
    from derivations.frame.javascript import PATH, javascript

    if out == "-":
        print(javascript(), end="")
    else:
        path = Path(out) if out else PATH
        path.parent.mkdir(exist_ok=True)
        path.write_text(javascript(), encoding="utf-8")
    return 0


def _known() -> str:
    return "\n".join(
        f"{name:4} {module.split('_', 1)[1].replace('_', ' ')}" for name, module in MODULES.items()
    )


if __name__ == "__main__":
    sys.exit(main())
