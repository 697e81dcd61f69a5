"""Pictures of "Beyond the papers" and "Recurrent networks", drawn when the site is built."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from richlazy import boundary_curves, recurrent_curves, spectrum

__all__ = ["write"]


def write(folder: Path) -> None:
    """Draw every picture into a folder."""
    folder.mkdir(exist_ok=True)
    d, rng = 60, np.random.default_rng(0)
    units, gain = 200, 0.6
    full = spectrum.flat(units, gain * np.sqrt(units))
    shares = rng.standard_normal(d) ** 2
    pictures = {
        "boundary": boundary_curves.boundary(100, norm=1.0),
        "slopes": boundary_curves.slopes(300, norm=3.0),
        "peak": boundary_curves.peak(300),
        "laziest": boundary_curves.laziest(150, strengths=[1.0, 0.05]),
        "rich_correction": boundary_curves.rich_correction(
            spectrum.power_law(d, 0.5), shares / shares.sum(), d
        ),
        "recurrent_rank": recurrent_curves.rank(units, 5, gain=gain),
        "recurrent_gain": recurrent_curves.gain(full, 5, units=units),
        "recurrent_steps": recurrent_curves.steps(full, units=units),
    }
    for name, curve in pictures.items():
        curve.plot().savefig(folder / f"{name}.png", dpi=150)
