"""T20: the participation-ratio law and what it leaves out."""

from __future__ import annotations

import itertools

import sympy as sp

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.frame.lag_sums import k
from derivations.t20_typical_start.symbols import (
    CUMULANTS,
    MOMENTS,
    PR,
    N,
    all_words,
    g,
    moment,
    nu,
)
from derivations.t20_typical_start.word_moments import letters, shortest

__all__ = ["FORMULAS", "NOTATION", "STEPS"]

m1, m2, m3 = MOMENTS
p1, p2, p3 = sp.symbols("p_1:4", positive=True)

FORMULAS = {
    "gain": sp.sqrt(p1 / N),
    "participation_ratio": p1**2 / p2,
    "concentration": N / PR,
    "spectrum_cumulant_1": g**2,
    "spectrum_cumulant_2": g**4 * (nu - 2),
    "spectrum_four_runs": g ** (2 * letters) * (1 + shortest * (nu - 1)),
    "law_moment": g ** (2 * k) * nu ** (k - 1),
    "law_cumulant_3": g**6 * (nu**2 - 6 * nu + 7),
    "law_coupling_1": g,
    "law_coupling_2": g * sp.sqrt(nu - 1),
    "law_gap": p3 / N - p2**2 / (N * p1),
}

NOTATION = {
    p1: "sum of s_j^2 over the N singular values of W (0 included)",
    p2: "sum of s_j^4",
    p3: "sum of s_j^6",
    g: "gain: root mean square of the s_j",
    PR: "participation ratio of W",
    nu: "N / PR: 1 for an orthogonal start, 2 for a Gaussian one, N / r for a flat one of rank r",
}


def _sums(gain, participation_ratio, concentration):
    """g and nu in terms of the sums over the singular values."""
    return {g: gain, nu: concentration.subs(PR, participation_ratio)}


def _spectrum(
    gain, participation_ratio, concentration, cumulant_1, cumulant_2,
    spectrum_cumulant_1, spectrum_cumulant_2,
):  # fmt: skip
    spelled = _sums(gain, participation_ratio, concentration)
    mean = {m1: p1 / N, m2: p2 / N}
    return [
        gain**2 - mean[m1],
        sp.Min(gain.subs({p1: 2, N: 3}), 0),
        spectrum_cumulant_1.subs(spelled) - cumulant_1.subs(mean),
        spectrum_cumulant_2.subs(spelled) - cumulant_2.subs(mean),
        # r equal singular values have participation ratio r, whatever their size.
        participation_ratio.subs({p1: k * g**2, p2: k * g**4}) - k,
    ]


def _four_runs(four_runs, spectrum_four_runs, spectrum_cumulant_1, spectrum_cumulant_2):
    k1, k2 = CUMULANTS[:2]
    return spectrum_four_runs - four_runs.subs({k1: spectrum_cumulant_1, k2: spectrum_cumulant_2})


def _law(
    law_moment, law_cumulant_3, law_coupling_1, law_coupling_2, moment_1, moment_2, cumulant_3,
    coupling_1_squared, coupling_2_squared, coupling_3_squared, spectrum_cumulant_1,
    spectrum_cumulant_2,
):  # fmt: skip
    # Of N singular values N / nu are s, s^2 = nu g^2, and the others 0.
    yield law_moment - (nu * g**2) ** k / nu
    k1, k2 = CUMULANTS[:2]
    same = {k1: spectrum_cumulant_1, k2: spectrum_cumulant_2}
    yield [law_moment.subs(k, 1) - moment_1.subs(same), law_moment.subs(k, 2) - moment_2.subs(same)]
    law = {m: law_moment.subs(k, power) for power, m in enumerate(MOMENTS, 1)}
    yield law_cumulant_3 - cumulant_3.subs(law)
    yield [
        law_coupling_1**2 - coupling_1_squared.subs(law),
        law_coupling_2**2 - coupling_2_squared.subs(law),
        coupling_3_squared.subs(law),
    ]
    # Couplings are lengths.
    yield [sp.Min(x.subs({g: 2, nu: 5}), 0) for x in (law_coupling_1, law_coupling_2)]


def _gap(
    gain, participation_ratio, concentration, law_gap, law_moment, law_cumulant_3,
    cumulant_1, cumulant_2, cumulant_3, spectrum_cumulant_1, spectrum_cumulant_2,
):  # fmt: skip
    spelled = _sums(gain, participation_ratio, concentration)
    mean = dict(zip(MOMENTS, (p1 / N, p2 / N, p3 / N), strict=True))
    yield law_gap - mean[m3] + law_moment.subs(k, 3).subs(spelled)
    yield law_gap - cumulant_3.subs(mean) + law_cumulant_3.subs(spelled)
    # Never negative: half the sum over pairs of s_i^2 s_j^2 (s_i^2 - s_j^2)^2, over N p_1.
    values = sp.symbols("s_1:5", positive=True)
    sums = {p: sum(x ** (2 * n) for x in values) for n, p in enumerate((p1, p2, p3), 1)}
    pairs = sum((x * y * (x**2 - y**2)) ** 2 for x, y in itertools.combinations(values, 2))
    yield sp.together(law_gap.subs(sums) - pairs / (N * sums[p1]))
    # Of all words of up to six letters only (W'W)^3 and (W W')^3 tell, and by just this.
    by_spectrum = dict(zip(CUMULANTS, (cumulant_1, cumulant_2, cumulant_3), strict=False))
    by_law = dict(
        zip(CUMULANTS, (spectrum_cumulant_1, spectrum_cumulant_2, law_cumulant_3), strict=False)
    )
    for word in all_words():
        alternating = len(word) == 6 and all(x != y for x, y in itertools.pairwise(word))
        missed = moment(word).subs(by_spectrum).subs(mean) - moment(word).subs(by_law).subs(spelled)
        yield missed - law_gap * int(alternating)


STEPS = (
    Step(
        ("gain", "participation_ratio", "concentration", "spectrum_cumulant_1",
         "spectrum_cumulant_2"),
        "In terms of the singular values: the first two cumulants are the gain and the "
        "participation ratio. The second vanishes for a Gaussian start, nu = 2.",
        Zero(_spectrum),
    ),
    Step(
        ("spectrum_four_runs",),
        "So a word of four runs grows with nu by as many units as its shortest run has letters.",
        Zero(_four_runs),
    ),
    Step(
        ("law_moment", "law_cumulant_3", "law_coupling_1", "law_coupling_2"),
        "The law: all nonzero singular values equal, with the same gain and participation ratio. "
        "It has the same first two cumulants, and its third coupling is 0: a chain ends after "
        "three nodes.",
        Zero(_law),
    ),
    Step(
        ("law_gap",),
        "What a spectrum has beyond the law in m_3, and hence in kappa_3. It is not negative (half "
        "a sum of squares over pairs), so that of all spectra of one participation ratio the flat "
        "one has the least m_3. Words of fewer than six letters, and all words of six but the "
        "alternating ones, are those of the law.",
        Zero(_gap),
    ),
)  # fmt: skip
