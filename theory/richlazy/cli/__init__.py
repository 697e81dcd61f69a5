"""The command `richlazy`. It knows no mathematics."""

from richlazy.cli.predict import main

__all__ = ["main"]
