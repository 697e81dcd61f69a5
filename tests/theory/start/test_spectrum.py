"""Families of spectra, the four effective ranks, and every form of matrix they are read from."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.sparse.linalg import aslinearoperator

from richlazy import spectrum
from richlazy.start import matrices
from richlazy.start.matrices import Thin

KINDS = ("participation", "stable", "entropy", "numerical")

spectra = st.lists(
    st.one_of(st.floats(1e-6, 1e6), st.just(0.0), st.just(1.0)), min_size=1, max_size=20
).map(lambda s: np.sort(np.array(s))[::-1])
nonzero_spectra = spectra.filter(lambda s: s[0] > 0)


# -- effective ranks -----------------------------------------------------------------------


def test_effective_ranks_are_their_definitions():
    s = np.array([3.0, 2.0, 1.0, 0.0])
    share = np.array([3, 2, 1]) / 6
    assert spectrum.effective_rank(s) == pytest.approx(14**2 / (81 + 16 + 1), rel=1e-15)
    assert spectrum.effective_rank(s, "stable") == pytest.approx(14 / 9, rel=1e-15)
    assert spectrum.effective_rank(s, "entropy") == pytest.approx(np.prod(share**-share), rel=1e-15)
    assert spectrum.effective_rank(s, "numerical") == 3


@given(nonzero_spectra, st.floats(-250, 250))
def test_effective_ranks_know_no_scale_and_lie_between_1_and_rank(s, x):
    for kind in KINDS:
        found = spectrum.effective_rank(s, kind)
        assert 1 - 1e-14 <= found <= np.count_nonzero(s) * (1 + 1e-14)
        assert spectrum.effective_rank(s * 10.0**x, kind) == pytest.approx(found, rel=1e-12)
    # by the inequality of power means
    assert spectrum.effective_rank(s, "stable") <= spectrum.effective_rank(s) * (1 + 1e-14)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", [1, 3, 100])
def test_every_effective_rank_of_a_flat_spectrum_is_its_rank(kind, rank):
    s = np.concatenate([spectrum.flat(rank, norm=7.0), np.zeros(5)])
    assert spectrum.effective_rank(s, kind) == pytest.approx(rank, rel=1e-14)


@given(nonzero_spectra)
def test_zeros_do_not_count(s):
    for kind in ("participation", "stable", "entropy"):
        with_zeros = spectrum.effective_rank(np.concatenate([s, np.zeros(3)]), kind)
        assert with_zeros == pytest.approx(spectrum.effective_rank(s, kind), rel=1e-14)


def test_numerical_rank_counts_what_rounding_does_not_explain():
    eps = np.finfo(float).eps
    assert spectrum.effective_rank([1.0, 4 * eps, 2 * eps], "numerical") == 2
    product = np.ones((6, 1)) @ np.arange(1.0, 8.0)[None]
    assert spectrum.effective_rank(product, "numerical") == 1


FORMS = {
    "dense": np.asarray,
    "list": lambda w: w.tolist(),
    "csr": sp.csr_array,
    "coo": sp.coo_matrix,
    "operator": aslinearoperator,
    "thin": lambda w: Thin.from_factors(w, np.eye(w.shape[1])),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(12, 9), (9, 12), (2, 6), (6, 1)])
def test_effective_ranks_of_a_matrix_are_those_of_its_spectrum(name, kind, shape):
    w = np.random.default_rng(1).standard_normal(shape)
    w[np.random.default_rng(2).random(shape) < 0.4] = 0.0
    exact = spectrum.effective_rank(np.linalg.svd(w, compute_uv=False), kind)
    assert spectrum.effective_rank(FORMS[name](w), kind) == pytest.approx(exact, rel=1e-12)
    np.testing.assert_allclose(
        spectrum.of(FORMS[name](w)), np.linalg.svd(w, compute_uv=False), atol=1e-14
    )


@pytest.mark.parametrize("name", FORMS)
def test_participation_ratio_of_a_matrix(name):
    w = np.random.default_rng(3).standard_normal((8, 5))
    gram = w.T @ w
    found = spectrum.participation_ratio(FORMS[name](w))
    assert found.value == pytest.approx(np.trace(gram) ** 2 / np.sum(gram**2), rel=1e-13)
    assert found.standard_error == 0


def test_a_large_sparse_matrix_has_ranks_without_its_singular_values():
    size = matrices.DENSE_LIMIT + 10
    diagonal = np.arange(1.0, size + 1) ** -0.5
    w = sp.diags_array(diagonal).tocsr()
    for kind in ("participation", "stable"):
        exact = spectrum.effective_rank(diagonal, kind)
        assert spectrum.effective_rank(w, kind) == pytest.approx(exact, rel=1e-8)
    for kind in ("entropy", "numerical"):
        with pytest.raises(ValueError, match=r"too large to make dense .* use the participation"):
            spectrum.effective_rank(w, kind)
    with pytest.raises(ValueError, match=r"too large to make dense"):
        spectrum.of(w)


def test_the_participation_ratio_of_an_operator_is_within_its_standard_error():
    rng = np.random.default_rng(4)
    w = sp.random_array((1500, 1400), density=0.01, rng=rng, format="csr")
    exact = spectrum.participation_ratio(w)
    assert exact.standard_error == 0
    for seed in range(5):
        found = spectrum.participation_ratio(aslinearoperator(w), np.random.default_rng(seed))
        assert 0 < found.standard_error < 0.2 * exact.value
        assert abs(found.value - exact.value) < 5 * found.standard_error


# -- families ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "size"),
    [
        (lambda norm: spectrum.flat(6, norm), 6),
        (lambda norm: spectrum.power_law(7, 1.5, norm), 7),
        (lambda norm: spectrum.exponential(8, 0.3, norm), 8),
        (lambda norm: spectrum.gaussian(9, 14, norm), 9),
        (lambda norm: spectrum.gaussian(9, 14, norm, np.random.default_rng(0)), 9),
    ],
)
def test_families_are_spectra_of_the_norm_asked_for(family, size):
    for norm in (1e-100, 1.0, 2.5, 1e100):
        s = family(norm)
        assert spectrum.check(s).shape == (size,)
        assert np.linalg.norm(s / norm) == pytest.approx(1, rel=1e-14)
    np.testing.assert_allclose(family(3.0), 3 * family(1.0), rtol=1e-14)


def test_families_have_their_shape():
    s = spectrum.power_law(50, exponent=0.7)
    np.testing.assert_allclose(s / s[0], np.arange(1.0, 51) ** -0.7, rtol=1e-14)
    s = spectrum.exponential(50, rate=0.2)
    np.testing.assert_allclose(s[1:] / s[:-1], np.exp(-0.2), rtol=1e-13)
    np.testing.assert_array_equal(spectrum.power_law(4, 0.0), spectrum.flat(4))
    np.testing.assert_array_equal(spectrum.exponential(4, 0), spectrum.flat(4))
    assert np.count_nonzero(spectrum.exponential(10, 1e4)) == 1  # the rest underflows to zero


@given(nonzero_spectra, st.floats(-100, 100))
def test_rescaling_keeps_the_shape(s, x):
    found = spectrum.rescaled(s, 10.0**x)
    assert np.linalg.norm(found / 10.0**x) == pytest.approx(1, rel=1e-13)
    np.testing.assert_allclose(found * s[0], s * found[0], rtol=1e-13)


# -- Marchenko-Pastur ----------------------------------------------------------------------


def law_of_singular_values(ratio):
    """Distribution function of the singular values s, s^2 Marchenko-Pastur of ratio <= 1.

    density of x = s^2: sqrt((high - x)(x - low)) / (2 pi ratio x), low, high = (1 -+ sqrt ratio)^2.
    """
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2

    def mass(s):  # x = low + (high - low) sin^2(angle) takes the roots away
        def density(angle):
            sine, cosine = np.sin(angle), np.cos(angle)
            x = low + (high - low) * sine**2
            width = (high - low) ** 2 * sine**2 * cosine**2
            return 2 * width / (2 * np.pi * ratio * x) if x > 0 else 2 * (high - low) / np.pi / 2

        share = np.clip((s**2 - low) / (high - low), 0, 1)
        return quad(density, 0, np.arcsin(np.sqrt(share)), epsabs=1e-12, epsrel=1e-11)[0]

    return mass, np.sqrt(low), np.sqrt(high)


@pytest.mark.parametrize(
    ("small", "large"),
    [(1, 1), (1, 9), (12, 12), (12, 13), (12, 40), (12, 1200), (5, 10**7), (5, 10**8)],
)
def test_gaussian_quantiles_are_those_of_the_marchenko_pastur_law(small, large):
    mass, low, high = law_of_singular_values(small / large)
    assert mass(high) == pytest.approx(1, abs=1e-10)
    levels = (np.arange(small) + 0.5) / small
    exact = np.array([brentq(lambda s, p=p: mass(s) - p, low, high, xtol=1e-14) for p in levels])
    found = spectrum.gaussian(large, small)
    np.testing.assert_allclose(found, exact[::-1] / np.linalg.norm(exact), rtol=1e-9)
    np.testing.assert_array_equal(found, spectrum.gaussian(small, large))


def test_very_wide_gaussian_matrices_tend_to_flat_without_a_seam():
    """Below a ratio of 1e-7 an expansion takes over from the closed form."""
    for n in (1, 4, 9):
        before, after = (spectrum.gaussian(n, int(n * x)) for x in (0.99e7, 1.01e7))
        np.testing.assert_allclose(before, after, rtol=2e-5)
        spread = [np.ptp(spectrum.gaussian(n, int(n * x))) * np.sqrt(x) for x in (0.99e7, 1.01e7)]
        assert spread[0] == pytest.approx(spread[1], rel=1e-5, abs=1e-12)
        np.testing.assert_allclose(spectrum.gaussian(n, 10**15), spectrum.flat(n), rtol=1e-6)


@pytest.mark.parametrize("shape", [(90, 90), (60, 150), (150, 60)])
def test_gaussian_quantiles_are_what_large_matrices_have_on_average(shape):
    """Within a spacing, 1/n of the width, in the bulk; the edges recede by order n^(-2/3)."""
    rng, n = np.random.default_rng(5), min(shape)
    quantiles = spectrum.gaussian(*shape)
    dense = np.linalg.svd(rng.standard_normal((40, *shape)), compute_uv=False)
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    sampled = np.array([spectrum.gaussian(*shape, rng=rng) for _ in range(40)])
    for s in (dense.mean(axis=0), sampled.mean(axis=0)):
        gap = np.abs(s - quantiles) / quantiles[0]
        assert np.max(gap) < n ** (-2 / 3)
        assert np.mean(gap) < 1 / n


def test_sampled_spectra_have_the_law_of_dense_gaussian_matrices():
    """The bidiagonal form against full matrices: means of every ordered singular value."""
    rng = np.random.default_rng(6)
    for hidden, inputs in ((1, 1), (3, 3), (3, 5), (6, 2)):
        count = 3000
        dense = np.linalg.svd(rng.standard_normal((count, hidden, inputs)), compute_uv=False)
        dense /= np.linalg.norm(dense, axis=1, keepdims=True)
        sampled = np.array([spectrum.gaussian(hidden, inputs, rng=rng) for _ in range(count)])
        for power in (1, 2, 4):
            a, b = dense**power, sampled**power
            error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / count)
            assert np.all(np.abs(a.mean(axis=0) - b.mean(axis=0)) <= 4 * error + 1e-15)


def test_sampled_spectra_repeat_with_their_seed():
    one, other = (spectrum.gaussian(5, 9, rng=np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


# -- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("s", "message"),
    [
        ([], r"^spectrum must not be empty; its shape is \(0,\)$"),
        ([1.0, -0.5], r"^spectrum must be >= 0; its smallest value is -0.5$"),
        ([1.0, np.nan], r"^spectrum must be finite; it has 1 of 2 values NaN or infinite$"),
        (
            [3.0, 1.0, 2.0],
            r"^spectrum must be in descending order; it rises at index 2. Sort it: np.sort\(s\)",
        ),
        ([0.0, 0.0], r"^spectrum must have a non-zero singular value; all are zero$"),
        (["a"], r"^spectrum must hold real numbers; its dtype is <U1$"),
    ],
)
def test_bad_spectra_are_refused(s, message):
    for call in (spectrum.check, spectrum.effective_rank, lambda s: spectrum.rescaled(s, 1.0)):
        with pytest.raises(ValueError, match=message):
            call(s)


def test_a_matrix_is_no_spectrum():
    with pytest.raises(ValueError, match=r"^mine must have 1 dimensions; its shape is \(1, 1\)$"):
        spectrum.check([[1.0]], "mine")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spectrum.flat(0), r"^rank must be at least 1; it is 0$"),
        (lambda: spectrum.flat(2.5), r"^rank must be an integer; it is 2.5$"),
        (lambda: spectrum.flat(3, norm=0), r"^norm must be > 0; its smallest value is 0$"),
        (lambda: spectrum.flat(3, norm=[1, 2]), r"^norm must be one number; its shape is \(2,\)$"),
        (lambda: spectrum.flat(3, norm=np.inf), r"^norm must be finite; it has 1 of 1 values"),
        (lambda: spectrum.power_law(0, 1.0), r"^count must be at least 1; it is 0$"),
        (lambda: spectrum.power_law(3, -1), r"^exponent must be >= 0; its smallest value is -1$"),
        (lambda: spectrum.power_law(3, [1, 2]), r"^exponent must be one number; its shape is"),
        (lambda: spectrum.exponential(3, -1), r"^rate must be >= 0; its smallest value is -1$"),
        (lambda: spectrum.exponential("3", 1), r"^count must be an integer; it is '3'$"),
        (lambda: spectrum.gaussian(0, 3), r"^hidden must be at least 1; it is 0$"),
        (lambda: spectrum.gaussian(3, True), r"^inputs must be an integer; it is True$"),
        (
            lambda: spectrum.effective_rank([1.0], "nuclear"),
            r"^kind must be participation, stable, entropy or numerical; it is 'nuclear'$",
        ),
        (lambda: spectrum.of([1.0]), r"^matrix must have 2 dimensions; its shape is \(1,\)$"),
        (lambda: spectrum.effective_rank(2.0), r"^matrix must have 2 dimensions; its shape is"),
        (lambda: spectrum.effective_rank([[1, 2], [3]]), r"^matrix must be a rectangular array"),
        (lambda: spectrum.effective_rank("a"), r"^matrix must hold real numbers; its dtype is"),
    ],
)
def test_bad_values_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("shape", [(2, 5), (6, 5)])
def test_a_zero_matrix_has_no_effective_rank(kind, name, shape):
    zero = FORMS[name](np.zeros(shape))
    with pytest.raises(
        ValueError, match=r"(^matrix is zero: it has no effective rank|all are zero)$"
    ):
        spectrum.effective_rank(zero, kind)


def test_what_a_spectrum_is():
    for yes in ([1.0], (2, 1), np.ones(3)):
        assert spectrum.is_spectrum(yes)
    for no in ([[1.0]], np.ones((1, 3)), sp.eye_array(2), aslinearoperator(np.eye(2)), 3.0):
        assert not spectrum.is_spectrum(no)
