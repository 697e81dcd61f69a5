"""The command `richlazy` and what it does with errors: one line, no traceback.

Imports are inside the commands, so that `richlazy --help` costs click alone.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import click

from richlazy import names
from richlazy.cli.curve import curve
from richlazy.cli.doctor import doctor
from richlazy.cli.explore import explore
from richlazy.cli.map import map_
from richlazy.cli.measure import measure
from richlazy.cli.predict import predict
from richlazy.cli.report import report

__all__ = ["main", "show_anything"]


class _Plain(click.Group):
    """Whatever the caller got wrong is one line on stderr and exit status 2."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        show_anything()
        try:
            status = super().main(*arguments, **{**options, "standalone_mode": False})
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where it can be told that it fails
            sys.exit(status)
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            remedy = "" if context is None else f" (see {context.command_path} --help)"
            _fail(error.format_message().rstrip(".") + remedy)
        except click.Abort as error:
            _tell(str(error) or "interrupted")
            sys.exit(130)
        except BrokenPipeError:  # the reader of our output has gone
            _drop_output()
            sys.exit(1)
        except OSError as error:  # a full disk behind our output
            _fail(error.strerror or str(error))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _ours_only():
                return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except OSError as error:
            if error.filename is None:
                raise
            _fail(f"{os.fsdecode(error.filename)}: {error.strerror}")
        except ValueError as error:
            _fail(str(error))
        except MemoryError:
            _fail("out of memory; use a sparse file or a smaller start")


def show_anything() -> None:
    """Write what the terminal's encoding lacks as escapes, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # closed, or a stand-in
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


@contextlib.contextmanager
def _ours_only() -> Iterator[None]:
    """Keep what other libraries warn of (fonts, caches, formats) from the user, unless asked."""
    import logging
    import warnings

    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.filterwarnings("ignore", module=r"(?!richlazy\b)")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def _fail(message: str) -> NoReturn:
    _tell(message)
    _drop_output()
    sys.exit(2)


def _tell(message: str) -> None:
    with contextlib.suppress(OSError):  # stderr may be full too
        click.echo(f"richlazy: {names.plain(' '.join(message.split()))}", err=True)


def _drop_output() -> None:
    """Drop what waits to be written and cannot be, or Python would fail on it at its end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=_Plain,
    commands=(predict, curve, map_, report, explore, measure, doctor),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="richlazy", prog_name="richlazy")
@click.pass_context
def main(context: click.Context) -> None:
    """Theory of rich and lazy learning: how the initial weights decide."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
