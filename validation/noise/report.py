"""What the study `noise` shows: its figure, and its findings in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from validation.noise.runs import Grid
from validation.table import columns, where

__all__ = ["draw", "findings"]

Array = NDArray[np.float64]

_CLOSE = 0.01  # of the theory, for the findings


def _noise_of_alignment(rows: Sequence[dict[str, Any]]) -> tuple[Array, Array, float]:
    """(c, v) of the mean KA's bias eta (c + v/B) over theory, their errors, and k of the spread
    k sqrt(eta/B); weighted least squares over the three smallest steps of every batch.
    """
    some = [
        row
        for batch in dict.fromkeys(r["batch"] for r in rows)
        for row in where(rows, batch=batch)[-3:]
    ]
    bias, error, theory, eta, batch, spread = columns(
        some, "bias", "bias_error", "theory_mean", "eta", "batch", "spread"
    )
    weighted = np.stack([eta, eta / batch], axis=1) * (theory / error)[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    fit = covariance @ weighted.T @ (bias / error)
    return fit, np.sqrt(np.diag(covariance)), float(np.median(spread * np.sqrt(batch / eta)))


def findings(grid: Grid, rows: Sequence[dict[str, Any]]) -> list[str]:
    """What noise does to the mean and the spread, in numbers."""
    said, last = [], grid.times[-1]
    for label_noise in grid.label_noises:
        words = f"label noise {label_noise:g}" if label_noise else "no label noise"
        mine = where(rows, label_noise=label_noise)
        families = [
            where(mine, measure="kernel_alignment", norm=norm, rank=rank, time=time)
            for (norm, rank), time in product(grid.starts, grid.times)
        ]
        fits, errors, spreads = (
            np.array(part) for part in zip(*map(_noise_of_alignment, families), strict=True)
        )
        worst = int(np.argmax(np.abs(fits[:, 1]) + 2.0 * errors[:, 1]))
        v, error = fits[worst, 1], errors[worst, 1]
        safe = _CLOSE / (abs(v) + 2.0 * error)
        said.append(
            f"With {words} the mean KA is off by eta (c + v/batch) of itself; over starts and "
            f"times c is at most {np.max(np.abs(fits[:, 0])):.2g} in size and v is "
            f"{v:.2g} +- {error:.2g} where it may be largest, so noise costs less than 1 % up to "
            f"eta/batch = {safe:.2g} (two standard errors). One run's KA scatters by "
            f"{np.min(spreads):.2g} to {np.max(spreads):.2g} sqrt(eta/batch)."
        )
        loss = where(mine, measure="loss", time=last, batch=grid.batches[0])
        far = max(loss, key=lambda r: abs(r["bias"] / r["theory_mean"]))
        said.append(
            f"With {words} and batches of {grid.batches[0]}, the mean loss at t = {last} is up to "
            f"{far['bias'] / far['theory_mean']:+.1%} from the flow, at eta = {far['eta']:.2g}."
        )
    seen = np.abs([r["bias"] / r["bias_error"] for r in rows])
    said.append(
        f"Before extrapolation the mean is up to {np.max(seen):.2g} standard errors from T6, and "
        f"over 4 in {np.mean(seen > 4.0):.0%} of the cells and steps."
    )
    return said


def draw(grid: Grid, rows: Sequence[dict[str, Any]]) -> Figure:
    """Mean and spread of KA, and the noise of a gradient; a row for every label noise."""
    figure = Figure(figsize=(11.0, 7.0), layout="constrained")
    panels = figure.subplots(len(grid.label_noises), 3, squeeze=False, sharex="col")
    norm, rank = grid.starts[0]
    shown = grid.times[len(grid.times) // 2]
    alignment = where(rows, norm=norm, rank=rank, measure="kernel_alignment")
    for row, label_noise in zip(panels, grid.label_noises, strict=True):
        mine = where(alignment, label_noise=label_noise)
        for index, batch in enumerate(grid.batches):
            some = where(mine, batch=batch)
            eta, bias, error, theory, spread, scatter = columns(
                where(some, time=shown),
                *("eta", "bias", "bias_error", "theory_mean", "spread", "spread_relative_error"),
            )
            style = {"color": f"C{index}", "fmt": "o", "ms": 3.0, "lw": 1.0}
            row[0].errorbar(eta, bias / theory, error / theory, label=f"B = {batch}", **style)
            row[1].errorbar(eta / batch, spread, spread * scatter, **style)
            loss, noise = columns(some, "mean_loss", "gradient_noise_times_batch")
            row[2].plot(loss, noise, "o", color=f"C{index}", ms=3.0)
        row[0].axhline(0.0, color="black", lw=1.0)
        eta, batch, spread = columns(where(mine, time=shown), "eta", "batch", "spread")
        ends = np.array([np.min(eta / batch), np.max(eta / batch)])
        size = np.median(spread * np.sqrt(batch / eta))
        row[1].plot(ends, size * np.sqrt(ends), color="black", lw=1.0)
        (loss,) = columns(mine, "mean_loss")
        ends = np.linspace(np.min(loss), np.max(loss), 50)
        square = (grid.inputs + 1) * 2.0 * ends + grid.inputs * label_noise**2
        row[2].plot(ends, square, color="black", lw=1.0)
        row[0].set(
            xscale="log", ylabel=f"label noise {label_noise:g}\nbias of the mean KA / theory"
        )
        row[1].set(xscale="log", yscale="log", ylabel="spread of KA over samples")
        row[2].set(xscale="log", yscale="log", ylabel="B × squared noise of a gradient")
    for panel, label in zip(panels[-1], ("eta", "eta / B", "loss"), strict=True):
        panel.set_xlabel(label)
    panels[0, 0].legend(frameon=False, fontsize=8, title=f"norm {norm:g}, rank {rank}, t = {shown}")
    panels[0, 1].set_title("line: sqrt(eta/B)", fontsize=10)
    panels[0, 2].set_title("line: Gaussian moments", fontsize=10)
    return figure
