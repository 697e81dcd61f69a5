"""`richlazy doctor`: what is installed, and whether the formulas hold here."""

from __future__ import annotations

from typing import Any

import click

from richlazy.cli.tables import print_line, print_table

__all__ = ["EXTRAS", "doctor"]

#: What a user may add to an installation, and what for.
EXTRAS = {
    "cluster": "studies on a cluster",
    "derivations": "the derivations, from a clone",
    "explore": "pages of `richlazy explore`",
    "graphs": ".graphml and .gexf files",
    "jax": "runs of JAX models",
    "rnn": "studies of recurrent networks, from a clone",
    "studies": "all studies, from a clone",
    "tables": ".parquet and .feather files",
    "tensors": ".safetensors files",
    "torch": "runs of PyTorch models",
}
_NEEDED = ("numpy", "scipy", "matplotlib")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Versions, extras, and a check of closed forms against the gradient flow.

    A few seconds. The exit code is 1 if a check fails.
    """
    from rich.console import Console

    with Console(stderr=True).status("checking"):  # seen on a terminal only
        found = _examined()
    if as_json:
        import json

        click.echo(json.dumps(found, indent=1, allow_nan=False))
    else:
        _show(found)
    context.exit(0 if found["passed"] else 1)


def _examined() -> dict[str, Any]:
    import platform
    import time
    from importlib.metadata import version

    from richlazy import selfcheck

    begun = time.process_time()
    checks = list(selfcheck.run())
    seconds = time.process_time() - begun
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("richlazy", *_NEEDED)},
        },
        "blas": _blas(),
        "extras": {name: {"for": use, **_extra(name)} for name, use in EXTRAS.items()},
        "checks": [
            {
                "id": check.id,
                "compared": check.compared,
                "deviation": check.deviation,
                "error": check.error,
                "passed": check.passed,
            }
            for check in checks
        ],
        "tolerance": selfcheck.TOLERANCE,
        "cpu_seconds": seconds,
        "passed": all(check.passed for check in checks),
    }


def _blas() -> list[dict[str, Any]]:
    """Every BLAS that NumPy and SciPy have loaded."""
    import scipy.linalg  # noqa: F401  # which brings a BLAS of its own
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    return [
        {"library": one["internal_api"], "version": one["version"], "threads": one["num_threads"]}
        for one in threadpool_info()
        if one["user_api"] == "blas"
    ]


def _extra(name: str) -> dict[str, Any]:
    """The packages of an extra with their versions, and how to get what is missing."""
    import re
    from importlib.metadata import PackageNotFoundError, requires, version

    packages: dict[str, str | None] = {}
    for line in requires("richlazy") or ():
        wanted, _, marker = line.partition(";")
        named = re.match(r"[\w.-]+", wanted)
        if named and re.search(rf"extra == ['\"]{name}['\"]", marker):
            try:
                packages[named[0]] = version(named[0])
            except PackageNotFoundError:
                packages[named[0]] = None
    ready = packages and all(packages.values())
    return {"packages": packages, "install": None if ready else f"pip install 'richlazy[{name}]'"}


def _show(found: dict[str, Any]) -> None:
    print_table(
        ("", "version"),
        [
            *found["versions"].items(),
            *(
                ("BLAS", f"{one['library']} {one['version']}, threads: {one['threads']}")
                for one in found["blas"]
            ),
        ],
        words=(0, 1),
    )
    print_line("")
    print_table(
        ("extra", "for", "there", "to get it"),
        [
            (
                name,
                extra["for"],
                ", ".join(f"{k} {v}" for k, v in extra["packages"].items() if v) or "-",
                extra["install"] or "",
            )
            for name, extra in found["extras"].items()
        ],
        words=range(4),
    )
    print_line("")
    print_table(
        ("id", "against the gradient flow", "deviation", ""),
        [
            (
                check["id"],
                check["compared"],
                "-" if check["deviation"] is None else f"{check['deviation']:.1e}",
                "" if check["passed"] else f"failed {check['error'] or ''}".rstrip(),
            )
            for check in found["checks"]
        ],
        words=(0, 1, 3),
    )
    failed = [check["id"] for check in found["checks"] if not check["passed"]]
    said = f"failed: {', '.join(failed)}" if failed else "all checks passed"
    print_line(f"{said} (deviations up to {found['tolerance']:g}, {found['cpu_seconds']:.1f} s)")
