"""T20: the library's typical start, its chain and its lazy limit against the claims."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from derivations import load
from richlazy import spectrum
from richlazy.recurrent import Network, Task, expect, solve, typical
from tests.derivations.typical_tree import tree as slow_tree
from tests.theory.against_derivations.recurrent_claims import distance

T20 = load("T20")
#: Distinct singular values and how many units each stands for.
SPECTRA = {
    "orthogonal": ([1.0], [5]),
    "half rank": ([0.9, 0.0], [4, 4]),
    "low rank": ([3.0, 0.0], [2, 98]),
    "several": ([2.0, 1.5, 1.0, 0.5, 0.3, 0.0], [1, 1, 2, 1, 1, 2]),
    "steep": ([4.0, 0.4, 0.04, 0.004], [1, 5, 20, 50]),
    "tiny": ([3e-6, 1e-6, 0.5e-6], [3, 4, 5]),
}
WORDS = 4  # of a tree; the words of twice that many letters are known at its root


@pytest.fixture(autouse=True, scope="module")
def fifty_digits():
    with mpmath.workdps(50):
        yield


def law(start):
    """Values and shares, and with 50 digits the moments and the sums over units."""
    values, counts = SPECTRA[start] if isinstance(start, str) else zip(*start, strict=True)
    exact = [mpmath.mpf(x) for x in values]
    units = sum(counts)
    sums = {
        f"p_{power}": mpmath.fsum(n * x ** (2 * power) for x, n in zip(exact, counts, strict=True))
        for power in (1, 2, 3)
    }
    moments = {f"m_{power}": sums[f"p_{power}"] / units for power in (1, 2, 3)}
    return np.array(values), np.array(counts) / units, sums | {"N": units}, moments


def cumulants(moments):
    return {f"kappa_{i}": T20.evaluate(f"cumulant_{i}", **moments) for i in (1, 2, 3)}


def applied(matrix, word):
    """A word in W and T, for W', as seen by the first root."""
    vector = np.zeros(matrix.shape[0])
    vector[0] = 1.0
    for letter in reversed(word):
        vector = (matrix if letter == "W" else matrix.T) @ vector
    return vector[0]


def tree_of(start, roots=1):
    values, shares, *_ = law(start)
    return typical.tree(typical.chain(values, shares, WORDS), roots, WORDS)


NAMED = [
    ("moment_1", "TW", {}),
    ("moment_2", "TWTW", {}),
    ("moment_2", "WTWT", {}),
    ("moment_3", "TWTWTW", {}),
    ("word_2_2", "WWTT", {}),
    ("word_3_3", "WWWTTT", {}),
    ("word_2_1_1_2", "WWTWTT", {}),
    ("word_2_2_1_1", "WWTTWT", {}),
    ("two_runs", "TTTTWWWW", {"k": 4}),
    ("four_runs", "WWWTTWTT", {"L": 4, "d": 1}),
    ("four_runs", "WWTTWWTT", {"L": 4, "d": 2}),
    ("spectrum_four_runs", "TWWWTTTW", {"L": 4, "d": 1}),
]


#: Distinct values, not all of them zero, and how many units each stands for.
RANDOM = st.lists(
    st.tuples(st.sampled_from([0.0, 0.01, 0.3, 0.7, 1.0, 1.6, 4.0]), st.integers(1, 50)),
    min_size=1,
    max_size=5,
    unique_by=lambda pair: pair[0],
).filter(lambda pairs: any(value > 0 for value, _ in pairs))


def of_every_spectrum(test):
    """Those of `SPECTRA`, and random ones."""
    for name in SPECTRA:
        test = example(start=name)(test)
    return settings(max_examples=20)(test)


@of_every_spectrum
@given(start=RANDOM)
def test_words_on_the_tree(agreement, start):
    """Words that have a claim, and those of an odd number of letters, which vanish."""
    *_, sums, moments = law(start)
    matrix, gain = tree_of(start, 2), T20.evaluate("gain", **sums)
    ratio = T20.evaluate("participation_ratio", **sums)
    known = cumulants(moments) | {
        "g": gain,
        "nu": T20.evaluate("concentration", N=sums["N"], PR=ratio),
    }
    for name, word, at in NAMED:
        wanted = T20.evaluate(name, **known, **at)
        error = distance(applied(matrix, word), wanted)
        assert agreement(f"T20 {name}", error) < 1e-13, word
    for size in range(1, 2 * WORDS, 2):
        for word in itertools.product("WT", repeat=size):
            assert applied(matrix, word) == 0.0


@pytest.mark.parametrize("start", SPECTRA)
def test_a_word_of_unequal_numbers_vanishes_and_roots_do_not_meet(start):
    matrix = tree_of(start, 2)
    for word in itertools.product("WT", repeat=6):
        if word.count("W") != 3:
            assert applied(matrix, word) == 0.0
    both = np.zeros((matrix.shape[0], 2))
    both[:2] = np.eye(2)
    for word in itertools.product("WT", repeat=WORDS):
        for letter in word:
            both = (matrix if letter == "W" else matrix.T) @ both
        assert not np.any(both[:, 0] * both[:, 1])
        both[:] = 0.0
        both[:2] = np.eye(2)


@pytest.mark.parametrize("start", SPECTRA)
def test_couplings_of_the_chain(agreement, start):
    values, shares, sums, moments = law(start)
    found = typical.chain(values, shares, 6)
    # two for every value but the zero, which the chain has no right vector for
    assert found.size == min(6, 2 * np.count_nonzero(values) - np.all(values > 0))
    for i, coupling in enumerate(found[:3], 1):
        wanted = mpmath.sqrt(T20.evaluate(f"coupling_{i}_squared", **moments))
        error = distance(coupling, wanted)
        assert agreement(f"T20 coupling_{i}_squared", error) < 1e-13
    # the two-valued law of the same gain and participation ratio
    gain, ratio = (T20.evaluate(x, **sums) for x in ("gain", "participation_ratio"))
    nu = T20.evaluate("concentration", N=sums["N"], PR=ratio)
    value = float(gain * mpmath.sqrt(nu))
    couplings = typical.chain([value, 0.0], [float(1 / nu), float(1 - 1 / nu)], 6)
    for i, coupling in enumerate(couplings, 1):
        wanted = T20.evaluate(f"law_coupling_{i}", g=gain, nu=nu)
        assert agreement(f"T20 law_coupling_{i}", distance(coupling, wanted, gain)) < 1e-13
    assert couplings.size == (1 if nu == 1 else 2)


@settings(max_examples=20)
@given(channels=st.integers(1, 3), outputs=st.integers(1, 3), words=st.integers(1, 6))
def test_size_of_the_tree(agreement, channels, outputs, words):
    values, shares, *_ = law("several")
    net = typical.network(
        values,
        shares,
        channels=channels,
        outputs=outputs,
        input_norm=1.0,
        readout_norm=1.0,
        words=words,
    )
    wanted = T20.evaluate("tree_size", n=channels, m=outputs, ell=words)
    assert agreement("T20 tree_size", abs(net.units - wanted)) == 0


@pytest.mark.parametrize("start", SPECTRA)
def test_the_tree_is_that_of_plain_loops(start):
    """But for the order of its nodes: the same singular values."""
    values, shares, *_ = law(start)
    chain = typical.chain(values, shares, WORDS)
    mine, theirs = (
        np.linalg.svd(matrix, compute_uv=False)
        for matrix in (tree_of(start).toarray(), slow_tree(list(chain), WORDS))
    )
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-13 * values.max())


@pytest.mark.parametrize("start", SPECTRA)
def test_gain(agreement, start):
    values, counts = SPECTRA[start]
    *_, sums, _ = law(start)
    units = sums["N"]
    net = Network(np.ones((units, 1)), np.diag(np.repeat(values, counts)), np.ones((1, units)))
    error = distance(net.gain, T20.evaluate("gain", **sums))
    assert agreement("T20 gain", error) < 1e-14


LAZY = {"inputs": "lazy_U_squared", "recurrent": "lazy_W_squared", "readout": "lazy_V_squared"}
SIZES = (1.2, 0.7)  # norms of an input and a readout


def typical_network(name, words=WORDS, channels=1, outputs=1):
    values, shares, *_ = law(name)
    return typical.network(
        values,
        shares,
        channels=channels,
        outputs=outputs,
        input_norm=SIZES[0],
        readout_norm=SIZES[1],
        words=words,
    )


@pytest.mark.parametrize(("channels", "outputs"), [(1, 1), (2, 1)])
@pytest.mark.parametrize("start", ["orthogonal", "half rank", "several"])
def test_lazy_limit(agreement, start, channels, outputs):
    """A small task: each lag, channel and output adds by itself, whatever the spectrum."""
    *_, sums, _ = law(start)
    net = typical_network(start, 4, channels, outputs)
    task = Task.random(3, channels, outputs, 1e-5, rng=np.random.default_rng(3))
    solution = solve(net, task, "flow")
    known = {"g": T20.evaluate("gain", **sums)} | dict(zip("uv", SIZES, strict=True))
    for part, name in LAZY.items():
        squared = mpmath.fsum(
            T20.evaluate(name, **known, k=lag, s=abs(s))
            for lag, lags in enumerate(task.response)
            for s in lags.ravel()
        )
        found = getattr(solution, f"weight_change_{part}")(np.inf)
        # the next order is that of the square of the task
        assert agreement(f"T20 {name}", distance(found, mpmath.sqrt(squared))) < 1e-8
    squared = mpmath.fsum(
        T20.evaluate("lazy_squared", **known, k=lag, s=abs(s))
        for lag, lags in enumerate(task.response)
        for s in lags.ravel()
    )
    error = distance(solution.weight_change(np.inf), mpmath.sqrt(squared))
    assert agreement("T20 lazy_squared", error) < 1e-8


@pytest.mark.parametrize("lag", [1, 2])
@pytest.mark.parametrize("start", ["orthogonal", "half rank", "several"])
def test_second_order_of_the_recurrent_change(agreement, start, lag):
    """What is left of |W(t) - W(0)|^2 beyond the claim is of sixth order in the task."""
    *_, sums, _ = law(start)
    ratio = T20.evaluate("participation_ratio", **sums)
    known = {"g": T20.evaluate("gain", **sums), "k": lag} | dict(zip("uv", SIZES, strict=True))
    known["nu"] = T20.evaluate("concentration", N=sums["N"], PR=ratio)
    known |= {
        "F_3": T20.evaluate(f"climb_{lag}", **known),
        "C_4": T20.evaluate(f"stretch_{lag}", **known),
        "K_W": T20.evaluate("typical_kernel_W", **known),
    }
    size = 0.02
    response = np.zeros(lag + 1)
    response[lag] = size
    found = solve(typical_network(start, lag + 3), Task(response), "flow")
    found = mpmath.mpf(float(found.weight_change_recurrent(np.inf))) ** 2
    first = known["K_W"] * size**2 / T20.evaluate("typical_kernel", **known) ** 2
    wanted = T20.evaluate("second_order_W_squared", **known, s=size)
    error = abs(float((found - wanted) / first))
    assert agreement("T20 second_order_W_squared", error) < 1e-5
    assert error < 0.02 * abs(float((wanted - first) / first))


@settings(max_examples=5)
@given(
    method=st.sampled_from(["typical", "law"]), exponent=st.floats(0.0, 1.5), seed=st.integers(0)
)
def test_expect_of_a_small_task(agreement, method, exponent, seed):
    """The means over the tasks that its random numbers give; a tree with a leak, a loose flow."""
    s, units, tasks, strength = spectrum.power_law(30, exponent, norm=5.0), 40, 5, 1e-4
    gain = T20.evaluate("gain", p_1=mpmath.fsum(mpmath.mpf(x) ** 2 for x in s), N=units)
    rng = np.random.default_rng(seed)
    drawn = [Task.random(3, strength=strength, rng=rng).response.ravel() for _ in range(tasks)]
    found = expect(
        s,
        3,
        units=units,
        strength=strength,
        input_norm=SIZES[0],
        readout_norm=SIZES[1],
        method=method,
        tasks=tasks,
        rng=np.random.default_rng(seed),
    )
    known = {"g": gain} | dict(zip("uv", SIZES, strict=True))
    names = {f"weight_change_{part}": name for part, name in LAZY.items()}
    for measure, name in (names | {"weight_change": "lazy_squared"}).items():
        each = (
            mpmath.fsum(T20.evaluate(name, **known, k=lag, s=abs(x)) for lag, x in enumerate(task))
            for task in drawn
        )
        wanted = mpmath.fsum(map(mpmath.sqrt, each)) / tasks
        error = distance(getattr(found, measure).mean, wanted)
        assert agreement(f"T20 {name}, expect", error) < 1e-4
