"""predict and expect: averages over random tasks, by every method, against one another."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from richlazy import low_rank, spectrum
from richlazy.averages.expect import expect
from richlazy.averages.random_tasks import grouped
from richlazy.errors import AssumptionError
from richlazy.laziness import Measures
from richlazy.start import matrices
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import predict, solve

ALL = Measures._fields
ALIGNED = ("weight_change", "representation_alignment", "kernel_alignment")


def means(found, names=ALIGNED):
    return np.array([getattr(found, name).mean for name in names])


def errors(found, names=ALIGNED):
    return np.array([getattr(found, name).standard_error for name in names])


def agree(found, mean, error, names=ALIGNED):
    """Within 4 standard errors of the difference, and of what is left where both have none."""
    gap = np.abs(means(found, names) - mean)
    assert np.all(gap < 4.0 * np.hypot(errors(found, names), error) + 1e-7)


def brute_force(first, task, count, names=ALIGNED, t=np.inf):
    """Mean and standard error over tasks drawn and solved one by one."""
    each = [
        [float(getattr(found, name)) for name in names]
        for found in (solve(Network(first), task()).measures(t) for _ in range(count))
    ]
    return np.mean(each, axis=0), np.std(each, axis=0, ddof=1) / np.sqrt(count)


# One start, one task


@pytest.mark.parametrize("method", [None, "krylov", "flow"])
def test_predict_is_the_record_of_solve(method):
    rng = np.random.default_rng(0)
    start, task = Network(rng.standard_normal((5, 6))), Task.random(6, 1, rng=rng)
    record = predict(start, task, 2.0, method=method)
    assert record == solve(start, task, method).laziness(2.0)
    assert record.method.startswith(method or "krylov")
    assert predict(start, task).time == np.inf
    with pytest.raises(AssumptionError, match="closed form does not apply"):
        predict(start, task, method="closed form")
    with pytest.raises(ValueError, match=r"t must be one number; its shape is \(2,\)"):
        predict(start, task, [1.0, 2.0])


# Flat spectra: exact, and sampled


@pytest.mark.parametrize(
    ("rank", "inputs", "norm", "strength", "t"),
    [(5, 60, 1.0, 1.0, np.inf), (5, 60, 1.0, 1.0, 3.0), (3, 8, 4.0, 0.5, np.inf), (4, 4, 1, 2, 1)],
)
def test_a_flat_start_sampled_is_the_closed_form(rank, inputs, norm, strength, t):
    s = spectrum.flat(rank, norm)
    exact = expect(s, inputs, strength=strength, t=t)
    assert exact.method == "closed form (T7)"
    wanted = low_rank.expected(rank, inputs, norm=norm, strength=strength, t=t)
    for name in ALL:
        statistic = getattr(exact, name)
        assert statistic.mean == pytest.approx(float(getattr(wanted.mean, name)), rel=1e-12)
        assert statistic.sd == pytest.approx(float(getattr(wanted.sd, name)), rel=1e-12)
        assert statistic.standard_error == 0.0
    some = expect(s, inputs, strength=strength, t=t, method="sample", tasks=500)
    assert some.tasks == 500
    agree(some, means(exact), 0.0)
    for name in ALIGNED:
        sd = getattr(exact, name).sd
        assert getattr(some, name).sd == pytest.approx(sd, rel=0.2, abs=1e-6)


@pytest.mark.parametrize("t", [2.0, np.inf])
def test_quantiles_of_a_sample_are_those_of_the_law(t):
    exact = expect(spectrum.flat(3), 12, t=t)
    some = expect(spectrum.flat(3), 12, t=t, method="sample", tasks=800)
    q = np.array([0.1, 0.5, 0.9])
    for name in ALIGNED:
        law, sample = getattr(exact, name), getattr(some, name)
        assert law.quantile(q).shape == (3,)
        assert np.ndim(law.quantile(0.5)) == 0
        # the sample's q-quantile lies between the law's at q -/+ 4 binomial standard errors
        slack = 4.0 * np.sqrt(q * (1.0 - q) / 800)
        assert np.all(law.quantile(q - slack) <= sample.quantile(q))
        assert np.all(sample.quantile(q) <= law.quantile(q + slack))
        assert sample.quantile(0.0) < law.mean < sample.quantile(1.0)


# Samples against brute force


@pytest.mark.parametrize(
    ("s", "inputs", "outputs"),
    [([2.0, 2.0, 2.0, 1.0, 1.0, 0.5], 9, 2), ([1.5, 1.0, 1.0, 1.0, 1.0], 5, 3), ([2.0, 1.0], 6, 2)],
)
def test_several_outputs_against_brute_force(s, inputs, outputs):
    # blocks of equal values are sampled through triangular factors: more rows than outputs or not
    rng = np.random.default_rng(outputs)
    found = expect(s, inputs, outputs=outputs, strength=1.5, tasks=300, t=2.0)
    first = np.zeros((len(s), inputs))
    np.fill_diagonal(first, s)
    one_by_one = brute_force(first, lambda: Task.random(inputs, outputs, 1.5, rng=rng), 80, t=2.0)
    agree(found, *one_by_one)


@pytest.mark.parametrize(("norm", "route"), [(0.5, "krylov"), (5.0, "flow")])
def test_one_output_against_brute_force(norm, route):
    rng = np.random.default_rng(0)
    s = norm * np.array([2.0, 1.0, 1.0, 0.1]) / np.sqrt(6.01)
    found = expect(s, 7, tasks=400)
    assert f"by {route} (T1" in found.method
    first = np.zeros((4, 7))
    np.fill_diagonal(first, s)
    agree(found, *brute_force(first, lambda: Task.random(7, 1, rng=rng), 60))


@pytest.mark.parametrize("alignment", [0.0, 0.4, 1.0])
def test_tasks_of_one_alignment(alignment):
    rng = np.random.default_rng(1)
    s, d = np.array([1.0, 0.5, 0.5, 0.2]), 9
    found = expect(s, d, alignment=alignment, tasks=300)
    assert f"task directions of alignment {alignment:g}, else uniform" in found.assumptions

    def task():
        direction = rng.standard_normal(d)
        inside, outside = np.linalg.norm(direction[:4]), np.linalg.norm(direction[4:])
        weights = np.r_[
            np.sqrt(alignment) * direction[:4] / inside,
            np.sqrt(1.0 - alignment) * direction[4:] / outside,
        ]
        return Task(weights)

    first = np.zeros((4, d))
    np.fill_diagonal(first, s)
    agree(found, *brute_force(first, task, 80))
    flat = expect(spectrum.flat(4), d, alignment=alignment)
    assert flat.method == "closed form (T6)"
    wanted = low_rank.measures(4, d, alignment=alignment)
    for name in ALL:
        assert getattr(flat, name).mean == float(getattr(wanted, name))
        assert getattr(flat, name).sd == 0.0
        np.testing.assert_array_equal(
            getattr(flat, name).quantile([0.1, 0.9]), getattr(wanted, name)
        )
    agree(expect(spectrum.flat(4), d, alignment=alignment, method="sample"), means(flat), 0.0)


def test_means_converge_as_they_say():
    # over repetitions, (mean - exact) / standard error has mean 0 and sd 1
    exact = expect(spectrum.flat(4), 12).kernel_alignment.mean
    score = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found = expect(spectrum.flat(4), 12, method="sample", tasks=20, rng=rng).kernel_alignment
        assert found.standard_error == pytest.approx(found.sd / np.sqrt(20), rel=1e-12)
        score.append((found.mean - exact) / found.standard_error)
    assert abs(np.mean(score)) < 4.0 / np.sqrt(60)
    assert np.std(score) == pytest.approx(1.0, rel=0.4)


def test_the_spread_of_two_tasks():
    two = expect([2.0, 1.0], 5, tasks=2).kernel_alignment
    low, high = two.quantile([0.0, 1.0])
    assert two.mean == pytest.approx(0.5 * (low + high), rel=1e-12)
    assert two.sd == pytest.approx((high - low) / np.sqrt(2.0), rel=1e-9)


def test_numbers_repeat_and_depend_on_the_seed():
    s = spectrum.power_law(10, 1.0)
    assert expect(s, 10, tasks=20).to_dict() == expect(s, 10, tasks=20).to_dict()
    other = expect(s, 10, tasks=20, rng=np.random.default_rng(1))
    assert means(other)[0] != means(expect(s, 10, tasks=20))[0]


# Equal singular values


@pytest.mark.parametrize("method", ["typical", "law"])
def test_merging_equal_singular_values_changes_nothing(method):
    merged = np.array([2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.3])
    apart = merged * (1.0 + 1e-9 * np.arange(8)[::-1])
    one, two = (expect(s, 12, method=method, strength=2.0) for s in (merged, apart))
    np.testing.assert_allclose(means(one, ALL[:-1]), means(two, ALL[:-1]), rtol=1e-7)


def test_groups():
    found = grouped(np.array([2.0, 2.0, 1.0]), 7)
    np.testing.assert_array_equal(found.values, [2.0, 1.0, 0.0])
    np.testing.assert_array_equal(found.counts, [2.0, 1.0, 4.0])
    assert (found.rank, found.flat) == (3, False)
    assert found.moments.trace.value == 9.0
    assert found.moments.trace_square.value == 33.0
    assert found.participation_ratio == pytest.approx(81.0 / 33.0)
    full = grouped(np.array([1.0, 1.0 - 1e-14]), 2)
    np.testing.assert_array_equal(full.counts, [2.0])
    assert full.flat
    assert not grouped(np.array([1.0, 1.0 - 1e-9]), 2).flat


# Matrices


@pytest.mark.parametrize("method", [None, "law", "typical", "sample"])
def test_a_matrix_is_its_spectrum(method):
    dense = np.random.default_rng(0).standard_normal((6, 8)) / 7.0
    s = spectrum.of(dense)
    faces = [dense, dense.tolist(), sp.csr_array(dense), aslinearoperator(dense)]
    wanted = expect(s, 8, method=method, tasks=30)
    for start in [*faces, matrices.svd(dense), Network(dense)]:
        found = expect(start, method=method, tasks=30)
        np.testing.assert_allclose(means(found, ALL[:-1]), means(wanted, ALL[:-1]), rtol=1e-9)
    assert expect(dense, 8, tasks=2).method == wanted.method.replace("30", "2") or method


def test_a_flat_matrix_takes_the_closed_form():
    start = Network.from_spectrum(
        spectrum.flat(3),
        task=Task(np.ones(9)),
        hidden=5,
        rng=np.random.default_rng(0),
    )
    for face in (start, start.first, start.first.toarray()):
        found = expect(face)
        assert found.method == "closed form (T7)"
        np.testing.assert_allclose(means(found), means(expect(spectrum.flat(3), 9)), rtol=1e-10)


@pytest.mark.parametrize("face", [sp.csr_array, aslinearoperator])
def test_matrices_too_large_for_their_spectrum(face, monkeypatch):
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((30, 40)) * (rng.random((30, 40)) < 0.3)
    dense /= np.linalg.norm(dense)
    wanted, law = expect(dense, tasks=300), expect(dense, method="law")
    monkeypatch.setattr(matrices, "DENSE_LIMIT", 20)
    start = face(dense)
    found = expect(start, tasks=300, rng=np.random.default_rng(1))
    known = ALIGNED if face is sp.csr_array else ALIGNED[:1]  # without tr R_0^2, dW alone
    agree(found, means(wanted, known), errors(wanted, known), known)
    other = expect(start, method="law")
    assert "not checked against the second Krylov order" in other.accuracy
    rtol = 1e-10 if face is sp.csr_array else 0.1
    np.testing.assert_allclose(means(other), means(law), rtol=rtol)
    for keywords in ({"outputs": 2}, {"method": "typical"}, {"alignment": 0.5}):
        with pytest.raises(AssumptionError, match="too large for its singular values"):
            expect(start, **keywords)
    zero = sp.csr_array((30, 40))
    with pytest.raises(ValueError, match="matrix is zero: it has no spectrum"):
        expect(zero)


# What the record says, and what is refused


def test_the_record_says_how_it_was_found():
    s = spectrum.power_law(8, 1.0)
    found = {m: expect(s, 10, method=m, tasks=20) for m in ("law", "typical", "sample")}
    flat = expect(spectrum.flat(3), 10)
    for each in (flat, *found.values()):
        assert {"silent readout", "white inputs", "one output"} & set(each.assumptions)
        assert "task directions uniform on the sphere" in each.assumptions
        assert each.time == np.inf
    assert flat.accuracy == "exact"
    assert (flat.tasks, found["sample"].tasks, found["law"].tasks) == (None, 20, None)
    assert found["typical"].method.startswith("typical task (T14) by krylov (T15), k=")
    assert found["law"].kernel_alignment.sd > 0.0
    assert found["law"].kernel_alignment.standard_error is None
    assert found["typical"].kernel_alignment.sd is None
    assert np.ndim(found["law"].kernel_alignment.quantile(0.5)) == 0
    with pytest.raises(AssumptionError, match="means only; use method='sample' for quantiles"):
        found["typical"].kernel_alignment.quantile(0.5)
    with pytest.raises(ValueError, match=r"q must lie in \[0, 1\]; it is 2"):
        flat.kernel_alignment.quantile([0.5, 2.0])


SPECTRUM, MATRIX = [2.0, 1.0], np.diag([2.0, 1.0, 0.5])
RING = Network(np.eye(2), [[3.0, 4.0]])
REFUSED = [
    ("strength must be > 0; its smallest value is 0", (SPECTRUM, 3), {"strength": 0.0}),
    ("strength must be one number; its shape is (2,)", (SPECTRUM, 3), {"strength": [1.0, 2.0]}),
    ("outputs must be an integer; it is 1.5", (SPECTRUM, 3), {"outputs": 1.5}),
    ("outputs must be at most inputs; they are 4 and 3", (SPECTRUM, 3), {"outputs": 4}),
    ("t must be >= 0 and not NaN", (SPECTRUM, 3), {"t": -1.0}),
    ("t must be one number; its shape is (2,)", (SPECTRUM, 3), {"t": [1.0, 2.0]}),
    ("tasks must be at least 2; it is 1", (SPECTRUM, 3), {"tasks": 1}),
    ("tasks must be an integer; it is 2.5", (SPECTRUM, 3), {"tasks": 2.5}),
    (
        "method must be 'closed form', 'law', 'typical' or 'sample'; it is 'exact'",
        (SPECTRUM, 3),
        {"method": "exact"},
    ),
    ("inputs is needed with singular values", (SPECTRUM,), {}),
    ("inputs must be at least the rank 2 of the spectrum; it is 1", (SPECTRUM, 1), {}),
    ("inputs must be an integer; it is 2.5", (SPECTRUM, 2.5), {}),
    ("spectrum must be in descending order; it rises at index 1", ([1.0, 2.0], 3), {}),
    ("inputs is 4, but the matrix has 3 columns", (MATRIX, 4), {}),
    ("the matrix is zero: it has no spectrum to predict from", (np.zeros((2, 3)),), {}),
    ("start must be finite", ([[np.nan, 1.0]],), {}),
    ("expect needs a silent readout; ||W2(0)|| = 5", (RING,), {}),
    *(
        (
            f"method '{m}' needs one output; it was asked for 2",
            ([1.0], 3),
            {"outputs": 2, "method": m},
        )
        for m in ("law", "typical")
    ),
    (
        "method 'closed form' needs t = infinity for several outputs; it is 2: use 'sample'",
        ([1.0], 3),
        {"outputs": 2, "method": "closed form", "t": 2.0},
    ),
    (
        "method 'closed form' needs a flat spectrum; use 'sample'",
        (SPECTRUM, 3),
        {"outputs": 2, "method": "closed form"},
    ),
    (
        "method 'closed form' needs a flat spectrum; use 'sample'",
        (SPECTRUM, 3),
        {"method": "closed form"},
    ),
    ("alignment must be one number; its shape is (2,)", (SPECTRUM, 3), {"alignment": [0.1, 0.2]}),
    ("alignment must lie in [0, 1]; it is 2", (SPECTRUM, 3), {"alignment": 2.0}),
    ("alignment must be 1 where rank = inputs", (SPECTRUM, 2), {"alignment": 0.5}),
    ("alignment needs one output and method", (SPECTRUM, 3), {"alignment": 0.5, "outputs": 2}),
    (
        "alignment needs one output and method 'closed form' or 'sample'",
        (SPECTRUM, 3),
        {"alignment": 0.5, "method": "law"},
    ),
    (
        "method 'closed form' needs a flat spectrum; use 'sample'",
        (SPECTRUM, 3),
        {"alignment": 0.5, "method": "closed form"},
    ),
]


@pytest.mark.parametrize(("message", "arguments", "keywords"), REFUSED)
def test_what_is_refused(message, arguments, keywords):
    with pytest.raises(ValueError, match=re.escape(message)):
        expect(*arguments, **keywords)


@pytest.mark.parametrize(
    ("spectrum_", "strength"), [([0.8, 0.5, 0.2], 1e-300), ([1e200, 1e199], 1.0)]
)
def test_scales_that_float64_cannot_hold_are_refused(spectrum_, strength):
    with pytest.raises(AssumptionError, match="must lie in"):
        expect(spectrum_, inputs=5, strength=strength)


def test_a_start_too_stiff_to_settle_is_refused_at_once():
    s = spectrum.rescaled([0.8, 0.5, 0.2], 1e6)
    with pytest.raises(AssumptionError, match="lazy limit"):
        expect(s, inputs=5, tasks=2)
    assert expect(s, inputs=5, tasks=2, t=1.0).kernel_alignment.mean > 0.999


@pytest.mark.parametrize("tasks", [10**12, 10**20, 1e308, 10**6 + 1])
def test_more_tasks_than_anyone_needs_are_refused(tasks):
    with pytest.raises(ValueError, match="tasks must be at most 1000000"):
        expect(spectrum.flat(3), 20, tasks=tasks, method="sample")


def test_a_record_has_every_measure_and_how_it_was_found():
    found = expect(spectrum.power_law(6, 1.0), 10, tasks=20).to_dict()
    how = {"time", "method", "assumptions", "accuracy", "tasks"}
    assert set(found) == {*Measures._fields, *how}
    assert (found["tasks"], found["time"]) == (20, "inf")
    for name in Measures._fields:
        assert set(found[name]) == {"mean", "sd", "standard_error"}


def test_the_rank_that_a_precision_leaves_is_said_of_a_matrix():
    rng = np.random.default_rng(0)
    low = (rng.standard_normal((20, 3)) @ rng.standard_normal((3, 30))).astype(np.float32)
    words = "W1 has rank 3 then"
    assert words in " ".join(expect(low, tasks=3).assumptions)
    full = rng.standard_normal((20, 30)).astype(np.float32)
    assert "rank 20" not in " ".join(expect(full, tasks=3).assumptions)
    singular = expect(spectrum.flat(4), 10, precision="float32").assumptions
    assert not any("has rank" in said for said in singular)


def test_what_is_left_out_is_the_default():
    """One output, strength 1, random tasks at the end of learning, and a fixed seed."""
    said = {"outputs": 1, "strength": 1.0, "alignment": None, "t": np.inf, "rng": 0}
    for s in (spectrum.flat(3), [2.0, 1.0]):
        plain = expect(s, 5, tasks=4)
        assert plain.to_dict() == expect(s, 5, tasks=4, **said).to_dict()
        assert "one output" in plain.assumptions or "1 output" in plain.assumptions
