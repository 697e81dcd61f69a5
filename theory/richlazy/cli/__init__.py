"""The command `richlazy`. It knows no mathematics."""

from richlazy.cli.main import main

__all__ = ["main"]
