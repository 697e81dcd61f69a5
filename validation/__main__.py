"""Command line: ``python -m validation run STUDY|all``."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; say in one line if something it needs is not installed."""
    for library in ("OPENBLAS", "OMP", "MKL"):
        # read on importing NumPy, here and in every process of ours: numbers do not depend on it
        os.environ[f"{library}_NUM_THREADS"] = "1"
    try:
        from richlazy.cli.main import show_anything
        from validation.cli import cli

        show_anything()
        cli(prog_name="python -m validation")
    except ModuleNotFoundError as error:
        needed = (error.name or "").partition(".")[0]
        if needed in ("", "validation"):
            raise
        line = str(error)
        if "pip install" not in line:  # unlike those that name an extra
            line = f"validation needs {needed}: python -m pip install -e ."
        print(line, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
