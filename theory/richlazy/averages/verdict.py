"""One plain sentence: whether a start learns richly or lazily, and against what.

The measure is kernel alignment KA. At `LAZY` and above learning is called lazy, at `RICH` and
below rich (60 degrees between the kernel before and after), in between neither. Beside it stand a
flat full-rank start and a Gaussian one of the same size and norm, over random tasks of the same
strength, number of outputs and time; a start is richer or lazier than one of them if the two
differ by more than `CLOSE` and two standard errors.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from richlazy.averages.expect import expect
from richlazy.averages.record import Expected
from richlazy.errors import AssumptionError, ConvergenceError
from richlazy.formulas import limits, low_rank, several_outputs
from richlazy.laziness import Laziness
from richlazy.start import spectrum

__all__ = ["CLOSE", "LAZY", "RICH", "Verdict", "verdict"]

#: KA from which learning is called lazy, and up to which it is called rich.
LAZY, RICH = 0.9, 0.5
#: KA by which two starts may differ and still be called alike.
CLOSE = 0.02
_STIFF = 30.0  # squared norm over strength: beyond it both references are all but lazy
_LARGE = 1000  # singular values of the Gaussian reference


@dataclass(frozen=True)
class Verdict:
    """What a kernel alignment means.

    Attributes
    ----------
    regime : str
        "rich", "lazy" or "between rich and lazy".
    kernel_alignment : float or None
        Of the start; None where it is 0/0.
    standard_error : float
        Of its mean over sampled tasks; 0 where exact.
    full_rank, gaussian : float or None
        KA of the references; None where one was not computed.
    participation_ratio : float
        Of the start.
    largest : int
        min(hidden, inputs), the largest that it could be.
    own_norm : float or None
        Norm of the weights as given, where another was used.
    law_at_own_norm : float or None
        KA there by the participation-ratio law (T15), an approximation.
    """

    regime: str
    kernel_alignment: float | None
    standard_error: float
    full_rank: float | None
    gaussian: float | None
    participation_ratio: float
    largest: int
    own_norm: float | None = None
    law_at_own_norm: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the sentence among them, ready for JSON."""
        return {**asdict(self), "sentence": self.sentence}

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.kernel_alignment is None:
            return "neither rich nor lazy: the kernel is zero at some time"
        parts = [
            f"{self.regime}: KA {_shown(self.kernel_alignment)} (lazy from {LAZY}, rich to {RICH})"
        ]
        for name, other in (
            ("a flat full-rank start", self.full_rank),
            ("a Gaussian start", self.gaussian),
        ):
            if other is not None:
                parts.append(
                    f"{self._beside(other)} {name} of this size and norm ({_shown(other)})"
                )
        parts.append(f"participation ratio {self.participation_ratio:.4g} of {self.largest}")
        if self.own_norm is not None and self.law_at_own_norm is not None:
            parts.append(
                f"at the norm of the weights as given, {self.own_norm:.4g}, the "
                f"participation-ratio law guesses KA {_shown(self.law_at_own_norm)}"
            )
        return "; ".join(parts)

    def _beside(self, other: float) -> str:
        assert self.kernel_alignment is not None
        gap = self.kernel_alignment - other
        if abs(gap) <= max(CLOSE, 2.0 * self.standard_error):
            return "as rich as"
        return "richer than" if gap < 0 else "lazier than"


def verdict(
    found: Expected | Laziness,
    *,
    participation_ratio: float,
    hidden: int,
    inputs: int,
    norm: float,
    own_norm: float | None = None,
    outputs: int = 1,
    strength: float = 1.0,
    white: bool = True,
) -> Verdict:
    """Say what a prediction at one norm, number of outputs, strength and time means.

    Parameters
    ----------
    found
        What `expect` or `predict` gave for a start of `hidden` x `inputs` weights.
    participation_ratio
        Of its first layer.
    norm, own_norm
        Norm it was predicted at, and the one it was given with if that is another.
    outputs, strength
        Of its task or tasks.
    white
        Whether its inputs are; for others there are no references.

    Examples
    --------
    >>> start = spectrum.flat(rank=5)
    >>> said = verdict(
    ...     expect(start, inputs=100), participation_ratio=5.0, hidden=100, inputs=100, norm=1.0)
    >>> said.regime, round(said.full_rank, 3), said.gaussian < said.full_rank
    ('rich', 0.995, True)
    """
    if isinstance(found, Expected):
        value: float | None = found.kernel_alignment.mean
        error = found.kernel_alignment.standard_error or 0.0
    else:
        value, error = found.kernel_alignment, 0.0
    most, t = min(hidden, inputs), found.time
    gaussian = None
    if white and most <= _LARGE and outputs == 1 and norm * norm <= _STIFF * strength:
        s = spectrum.gaussian(hidden, inputs, norm)
        with suppress(AssumptionError, ConvergenceError):
            typical = expect(s, inputs, strength=strength, t=t, method="typical")
            gaussian = typical.kernel_alignment.mean
    by_law = None
    if white and own_norm is not None and outputs == 1:
        law = limits.law(
            min(participation_ratio, inputs), inputs, norm=own_norm, strength=strength, t=found.time
        )
        by_law = float(law.mean.kernel_alignment)
    regime = "between rich and lazy"
    if value is not None and value >= LAZY:
        regime = "lazy"
    elif value is not None and value <= RICH:
        regime = "rich"
    flat = _full_rank(most, inputs, outputs, norm, strength, t) if white else None
    ratio = participation_ratio
    return Verdict(regime, value, error, flat, gaussian, ratio, most, own_norm, by_law)


def _full_rank(
    rank: int, inputs: int, outputs: int, norm: float, strength: float, t: float
) -> float | None:
    """Mean KA of a flat start over random tasks (T7), None where it has no closed form."""
    try:
        if outputs == 1:
            one = low_rank.expected(rank, inputs, norm=norm, strength=strength, t=t)
            return float(one.mean.kernel_alignment)
        if np.isfinite(t):
            return None
        modes = np.full(outputs, strength / np.sqrt(outputs))
        several = several_outputs.expected(rank, inputs, strengths=modes, norm=norm)
        return float(several.mean.kernel_alignment)
    except AssumptionError:
        return None


def _shown(value: float) -> str:
    return f"1 - {1.0 - value:.2g}" if 0.0 < 1.0 - value < 1e-3 else f"{value:.3f}"
