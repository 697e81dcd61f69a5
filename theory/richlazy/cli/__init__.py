"""The command `richlazy`. It knows no mathematics."""

from richlazy.cli.command import main

__all__ = ["main"]
