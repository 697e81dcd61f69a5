"""T20: the second order of the lazy limit for tasks at several lags, and how many a rank holds."""

from __future__ import annotations

import random

import sympy as sp
from sympy import exp, oo

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.frame.lag_sums import T
from derivations.t20_typical_start.low_rank import r

__all__ = ["FORMULAS", "NOTATION", "STEPS"]

t, size = sp.symbols("t rho", positive=True)
RATES = sp.symbols("K_a:c", positive=True)
PATHS = sp.symbols("q_a:c", real=True)
(Ka, Kb, Kc), (qa, qb, qc) = RATES, PATHS

FORMULAS = {
    "path_first": qa * (1 - exp(-Ka * t)),
    "path_pair": qa * qb * Kb / (Ka + Kb),
    "path_triple": qa * qb * qc * (1 - Ka / (Ka + Kb) - Ka / (Ka + Kc) + Ka / (Ka + Kb + Kc)),
    "path_late": qa
    * qb
    * qc
    * (Kc / (Kb + Kc) - 1 + Kb / (Ka + Kb) + Kb / (Kb + Kc) - Kb / (Ka + Kb + Kc)),
    "lags_learned": 2 * r + 2,
    "mean_square_pair": size**4 / (T * (T + 2)),
    "mean_fourth": 3 * size**4 / (T * (T + 2)),
}

NOTATION = {
    t: "time",
    **dict.fromkeys(RATES, "the kernel at a lag"),
    **dict.fromkeys(PATHS, "S_k / K_k at a lag: the integral of the error over all time"),
    size: "norm of the task",
}


def _over_time(value):
    """The integral over all time of a sum of decaying exponentials."""
    return sp.integrate(sp.expand(value), (t, 0, oo))


def _paths(path_first, path_pair, path_triple, path_late):
    lag = [
        path_first.subs({Ka: K, qa: q}, simultaneous=True)
        for K, q in zip(RATES, PATHS, strict=True)
    ]
    errors = [sp.diff(path, t) for path in lag]
    # e' = -K e, from K q = S at the start.
    yield sp.simplify(sp.diff(errors[0], t) + Ka * errors[0])
    yield [lag[0].subs(t, 0), errors[0].subs(t, 0) - Ka * qa]
    yield sp.simplify(path_pair - _over_time(errors[0] * lag[1]))
    yield sp.simplify(path_triple - _over_time(errors[0] * lag[1] * lag[2]))
    # the same with the pair at finite time in the place of its two factors
    pair = sp.integrate(sp.expand(errors[1] * lag[2]), (t, 0, t))
    yield sp.simplify(path_late - _over_time(errors[0] * pair))
    yield sp.simplify(path_late - qa * path_pair.subs(
        {Ka: Kb, Kb: Kc, qa: qb, qb: qc}, simultaneous=True
    ) + path_triple.subs({Ka: Kb, Kb: Ka, qa: qb, qb: qa}, simultaneous=True))  # fmt: skip


def _lags(lags_learned):
    """The rank of the Jacobian of more lags than that, of integer matrices, exactly."""
    generator = random.Random(0)

    def whole(rows, columns):
        return sp.Matrix(rows, columns, lambda *_: generator.randint(-3, 3))

    for rank in (1, 2, 3):
        units, steps = 2 * rank + 3, 2 * rank + 5
        W = whole(units, rank) * whole(rank, units)
        driven, read = [whole(units, 1)], [whole(1, units)]
        for _ in range(steps - 1):
            driven.append(W * driven[-1])
            read.append(read[-1] * W)
        rows = []
        for k in range(steps):
            moved = sp.zeros(units, units)
            for j in range(k):
                moved += read[j].T * driven[k - 1 - j].T
            rows.append([*driven[k], *read[k], *moved])
        yield sp.Matrix(rows).rank() - lags_learned.subs(r, rank)


def _sphere(mean_square_pair, mean_fourth):
    # E s_1^2 s_2^2 over the sphere in T dimensions, from the Gaussian: E |s|^4 = T (T + 2).
    a, b = sp.symbols("a b", real=True)

    def gaussian(power, variable):
        density = exp(-(variable**2) / 2) / sp.sqrt(2 * sp.pi)
        return sp.integrate(variable**power * density, (variable, -oo, oo))

    total = T * gaussian(4, a) + T * (T - 1) * gaussian(2, a) * gaussian(2, b)
    yield sp.expand(total - T * (T + 2))
    yield sp.simplify(mean_square_pair * total / size**4 - gaussian(2, a) * gaussian(2, b))
    yield sp.simplify(mean_fourth * total / size**4 - gaussian(4, a))


STEPS = (
    Step(
        ("path_first", "path_pair", "path_triple", "path_late"),
        "A typical start: the kernel is diagonal and its first order vanishes, so that every lag "
        "decays by itself, e_a = K_a q_a exp(-K_a t). The second order of the weights is the sum "
        "of the gradient of F_a moved along that of F_b with the weights path_pair, the integral "
        "of e_a q_b(t); the next order of the error has those of e_a q_b(t) q_c(t) and of e_a "
        "times the pair (b, c) so far.",
        Zero(_paths),
    ),
    Step(
        ("lags_learned",),
        "A start of rank r, one channel and output: from lag 2 on the responses move, to first "
        "order, by sums of M^j D M^i and M^j of the r x r core M = Y'X s, which obey the "
        "recurrence of the square of its characteristic polynomial: 2 r free numbers. Lags 0 and "
        "1 are free through V U and V dW U. Exactly, for integer matrices of rank 1 to 3 and more "
        "lags than that.",
        Zero(_lags),
    ),
    Step(
        ("mean_square_pair", "mean_fourth"),
        "Random tasks of one norm: what a mean of a quartic form needs.",
        Zero(_sphere),
    ),
)
