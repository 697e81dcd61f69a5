"""The commands that the README prints."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np

from tests.theory.cli.commands import W, csv_text, succeed

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


def test_the_commands_of_the_readme_work_as_printed(few, folder):
    np.save("weights.npy", W)
    (folder / "weights.csv").write_text(csv_text(W))
    circuit = np.random.default_rng(0).standard_normal((40, 40))
    (folder / "circuit.csv").write_text(csv_text(circuit))
    rng = np.random.default_rng(1)
    for weights, activations in (("before", "h0"), ("after", "h1")):
        np.savez(f"{weights}.npz", w1=rng.standard_normal((3, 4)), b1=rng.standard_normal(3))
        np.savez(f"{activations}.npz", h1=rng.standard_normal((20, 3)))
    np.save("X.npy", circuit[:, :6])
    np.save("Y.npy", circuit[:, 6])
    lines = [line for line in README.splitlines() if line.startswith("richlazy ")]
    kinds = [*["predict"] * 4, *["curve"] * 5, "map", "explore", *["report"] * 2, "measure"]
    assert [line.split()[1] for line in lines] == kinds
    for line in lines:
        succeed(*shlex.split(line, comments=True)[1:])
    assert (folder / "rank.png").exists()
    assert (folder / "scale.png").exists()
    assert (folder / "depth.png").exists()
    assert (folder / "map.png").exists()
    assert (folder / "page.html").exists()
    assert (folder / "weights-report/summary.md").exists()
