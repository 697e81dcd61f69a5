"""The recurrent pictures of "Beyond the papers", drawn by the library when the site is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from richlazy import recurrent, recurrent_limits, spectrum
from richlazy.curves.figure import COLOURS, new_figure, style

__all__ = ["write"]


def write(folder: Path) -> None:
    """Draw every picture into a folder."""
    folder.mkdir(exist_ok=True)
    for draw in (recurrent_lazy, recurrent_turn, recurrent_laziest):
        with style():
            figure = new_figure(4.6, 3.0)
            draw(figure.subplots())
            figure.savefig(folder / f"{draw.__name__}.png", dpi=150)


def recurrent_lazy(axes: Any) -> None:
    """1 - E KA against the strength: the closed form and the flow of the typical start."""
    strengths = np.geomspace(0.05, 2.0, 6)
    for colour, rank in zip(COLOURS, (100, 10), strict=False):
        mean = recurrent_limits.second_mean(3, gain=0.6, concentration=100 / rank).kernel_gap
        axes.plot(strengths, mean * strengths**4, ls="--", color=colour)
        start = spectrum.flat(rank=rank, norm=6.0)
        found = [
            1 - recurrent.expect(start, 3, units=100, strength=s, tasks=40).kernel_alignment.mean
            for s in strengths
        ]
        axes.plot(strengths, found, "o-", color=colour, label=f"N/PR = {100 // rank}")
    axes.set(xscale="log", yscale="log", ylim=(1e-7, 1), xlabel="task strength", ylabel="1 - E KA")
    axes.legend(title="dashed: fourth power in closed form")


def recurrent_turn(axes: Any) -> None:
    """E ||dW|| against rank: typical start, times its scatter, and sampled networks."""
    found = recurrent.turn(200, 5, gain=0.625)
    axes.plot(found.ranks, found.typical, "--", color=COLOURS[0], label="typical start")
    axes.plot(found.ranks, found.weight_change, color=COLOURS[1], label="times the scatter")
    ranks = (1, 2, 3, 5, 10, 30)
    sampled = [
        recurrent.expect(
            spectrum.flat(rank=r, norm=0.625 * 200**0.5), 5, units=200, method="sample", tasks=40
        ).weight_change_recurrent
        for r in ranks
    ]
    axes.errorbar(
        ranks, [s.mean for s in sampled], [s.standard_error for s in sampled],
        fmt="o", color=COLOURS[-1], label="sampled",
    )  # fmt: skip
    axes.set(xscale="log", xlabel="rank r of W(0)", ylabel=r"E $\|\Delta W\|$", ylim=(0, None))
    axes.legend()


def recurrent_laziest(axes: Any) -> None:
    """E KA less that of full rank, against N/PR, where it is positive and where it is not."""
    ranks = np.array([240, 200, 120, 60, 24, 12])
    for colour, (gain, strength) in zip(
        COLOURS, ((0.3, 0.3), (0.7, 0.3), (1.5, 10.0)), strict=False
    ):
        found = np.array(
            [
                recurrent.expect(
                    spectrum.flat(rank=int(r), norm=gain * 240**0.5), 5, units=240,
                    strength=strength, tasks=24,
                ).kernel_alignment.mean
                for r in ranks
            ]
        )  # fmt: skip
        label = f"gain {gain:g}, strength {strength:g}"
        axes.plot(240 / ranks, found - found[0], "o-", color=colour, label=label)
    axes.axhline(0.0, color=COLOURS[-1], lw=0.8, ls=":")
    axes.set(xscale="log", xlabel="N/PR", ylabel="E KA less that of full rank")
    axes.legend()
