"""T20: alignments of the lazy limit fall with N/PR: full rank is the laziest."""

from __future__ import annotations

import itertools
from functools import cache

import sympy as sp

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.frame.lag_sums import k
from derivations.t20_typical_start.series import Climb
from derivations.t20_typical_start.symbols import CUMULANTS, K, g, nu, s, u, v

__all__ = ["FORMULAS", "NOTATION", "STEPS"]

x, y = u**2, v**2
G_0, G_1, B_0, B_1 = sp.symbols("G_0 G_1 B_0 B_1", positive=True)

FORMULAS = {
    "alignment_gap": s**4 / K**4 * (G_0 * B_1 - G_1 * B_0) ** 2 / (2 * (G_0**2 + G_1**2) ** 2),
    "kernel_turn": 2
    * (
        (x + y) ** 2 * g**4 * (nu - 1)
        + g**2 * (x + y) ** 3
        + x * y * (x**2 + x * y + y**2)
    ),
    "representation_turn": x
    * ((x + y) * g**4 * (nu - 1) + g**2 * x * (x + 2 * y) + x**2 * y),
}  # fmt: skip

NOTATION = {
    G_0: "entry of a diagonal kernel or Gram matrix at lag 0",
    G_1: "its entry at lag 1",
    B_0: "coefficient of tau^2 in the first",
    B_1: "coefficient of tau^2 in the second",
}

CASES = ((1, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 4))  # the lag of the task, and T


def _gap(alignment_gap):
    """One minus the cosine of (G_0, G_1) and (G_0 + B_0 tau^2, G_1 + B_1 tau^2), tau = s/K."""
    z = sp.Symbol("z", positive=True)
    moved = (G_0 + B_0 * z, G_1 + B_1 * z)
    cosine = (G_0 * moved[0] + G_1 * moved[1]) / sp.sqrt(
        (G_0**2 + G_1**2) * (moved[0] ** 2 + moved[1] ** 2)
    )
    orders = [sp.diff(1 - cosine, z, n).subs(z, 0) / sp.factorial(n) for n in range(3)]
    yield orders[:2]
    yield sp.together(orders[2] * (s / K) ** 4 - alignment_gap)


@cache
def _entries(lag, steps):
    """Powers 0 to 2 of tau in kernel and Gram matrix (T17), {lags: ([...], [...])}."""
    path = Climb(lag, 2)
    driven, read = path.powers(path.U, 1, steps - 1), path.powers(path.V, -1, steps - 1)

    def gram(family, first, second):
        return [path.product(family[first], family[second], n) for n in range(3)]

    found = {}
    for first, second in itertools.combinations_with_replacement(range(steps), 2):
        of_driven, of_read = gram(driven, first, second), gram(read, first, second)
        kernel = [a + b for a, b in zip(of_driven, of_read, strict=True)]
        for i, j in itertools.product(range(first), range(second)):
            left, right = gram(read, i, j), gram(driven, first - 1 - i, second - 1 - j)
            for a, b in itertools.product(range(3), repeat=2):
                if a + b < 3:
                    kernel[a + b] += left[a] * right[b]
        found[first, second] = [sp.expand(z) for z in kernel], of_driven
    return found


def _turns(
    kernel_turn, representation_turn, typical_kernel, spectrum_cumulant_1, spectrum_cumulant_2
):
    cumulants = dict(zip(CUMULANTS, (spectrum_cumulant_1, spectrum_cumulant_2), strict=False))
    for lag, steps in CASES:
        entries = _entries(lag, steps)
        # Diagonal to this order, even in tau, and blind to kappa_3.
        yield [z for (i, j), both in entries.items() if i != j for part in both for z in part]
        diagonal = [entries[i, i] for i in range(steps)]
        yield [part[1] for both in diagonal for part in both]
        yield [part[2].diff(CUMULANTS[2]) for both in diagonal for part in both]
        start = diagonal[lag][0][0].subs(cumulants)
        yield start - typical_kernel.subs(k, lag)
        for which, claim in enumerate((kernel_turn, representation_turn)):
            for first, second in itertools.combinations([both[which] for both in diagonal], 2):
                turn = sp.expand((first[0] * second[2] - second[0] * first[2]).subs(cumulants))
                if steps == 2:
                    yield turn - claim
                # No negative coefficient in nu - 1, g, u and v.
                beyond = sp.expand(turn.subs(nu, 1 + nu))
                yield [min(z, 0) for z in sp.Poly(beyond, nu, g, u, v).coeffs()]


STEPS = (
    Step(
        ("alignment_gap",),
        "Kernel and Gram matrix of a diagonal form turn by G_0 B_1 - G_1 B_0 between two lags; "
        "for more lags the squares of all pairs add up. Leading order of one minus the cosine.",
        Zero(_gap),
    ),
    Step(
        ("kernel_turn", "representation_turn"),
        "A task at one lag: the kernel and the Gram matrix of the last state stay diagonal to "
        "order tau^2, and the participation-ratio law is exact for both. The turns for T = 2, in "
        "full; for every lag and T up to 4 each turn of each pair of lags is a polynomial in "
        "nu - 1, g, u, v with no negative coefficient. So 1 - KA and 1 - RA rise with nu: to "
        "leading order in the task, full rank is the laziest.",
        Zero(_turns),
    ),
)
