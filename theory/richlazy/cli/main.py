"""The command `richlazy` and what it does with errors: one line, no traceback.

Imports are inside the commands, so that `richlazy --help` costs click alone.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from richlazy.cli.curve import curve
from richlazy.cli.predict import predict
from richlazy.cli.report import report

__all__ = ["main"]


class _Plain(click.Group):
    """Whatever the caller got wrong is one line on stderr and exit status 2."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        try:
            sys.exit(super().main(*arguments, **{**options, "standalone_mode": False}))
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            remedy = "" if context is None else f" (see {context.command_path} --help)"
            _fail(error.format_message().rstrip(".") + remedy)
        except click.Abort:
            click.echo("richlazy: interrupted", err=True)
            sys.exit(130)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of our output has gone: click ends quietly
            raise
        except (ValueError, OSError) as error:
            _fail(str(error))
        except MemoryError:
            _fail("out of memory; use a sparse file or a smaller start")


def _fail(message: str) -> NoReturn:
    click.echo(f"richlazy: {' '.join(message.split())}", err=True)
    sys.exit(2)


@click.group(
    cls=_Plain,
    commands=(predict, curve, report),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="richlazy", prog_name="richlazy")
@click.pass_context
def main(context: click.Context) -> None:
    """Theory of rich and lazy learning: how the initial weights decide."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
