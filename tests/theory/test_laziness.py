"""The measures from traces, factors and full kernels; what is 0/0; every message."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import richlazy as rl
from richlazy import laziness
from richlazy.errors import UndefinedError


def cosine(a, b):
    """Alignment of two symmetric matrices, from its definition."""
    return np.trace(a @ b) / np.sqrt(np.trace(a @ a) * np.trace(b @ b))


def kernel(representation, readout, cov=None):
    """K = R (x) I + cov (x) B with index order (input, output)."""
    d, m = len(representation), len(readout)
    return np.kron(representation, np.eye(m)) + np.kron(np.eye(d) if cov is None else cov, readout)


TASK = np.random.default_rng(9).standard_normal((2, 4))


def towards(k):
    """Target alignment of a kernel with `TASK`, from its definition."""
    s = TASK.T.ravel()
    return s @ k @ s / (np.linalg.norm(k) * (s @ s))


def traces(r0, rt, b0, bt, cov=None):
    weight = np.eye(len(r0)) if cov is None else cov
    moved = np.trace(TASK @ rt @ TASK.T) + np.trace(TASK @ weight @ TASK.T @ bt)
    return laziness.Traces(
        r0_rt=np.trace(r0 @ rt),
        r0_r0=np.trace(r0 @ r0),
        rt_rt=np.trace(rt @ rt),
        r0=np.trace(r0 @ weight),
        rt=np.trace(rt @ weight),
        b0_bt=np.trace(b0 @ bt),
        b0_b0=np.trace(b0 @ b0),
        bt_bt=np.trace(bt @ bt),
        b0=np.trace(b0),
        bt=np.trace(bt),
        along=laziness.along_task(moved, np.sum(TASK**2)),
    )


def random_state(rng, d=4, h=3, m=2):
    w1, w2 = rng.standard_normal((h, d)), rng.standard_normal((m, h))
    return w1.T @ w1, w2 @ w2.T


# -- traces --------------------------------------------------------------------------------


@pytest.mark.parametrize("silent", [True, False])
def test_traces_give_the_alignment_of_full_kernels(silent):
    rng = np.random.default_rng(1)
    (r0, b0), (rt, bt) = random_state(rng), random_state(rng)
    b0 = np.zeros((2, 2)) if silent else b0
    ra, ka, ta = laziness.from_traces(traces(r0, rt, b0, bt), inputs=4, outputs=2)
    assert ra == pytest.approx(cosine(r0, rt), rel=1e-14)
    assert ka == pytest.approx(cosine(kernel(r0, b0), kernel(rt, bt)), rel=1e-14)
    assert ka == pytest.approx(rl.kernel_alignment(kernel(r0, b0), kernel(rt, bt)), rel=1e-14)
    assert ta == pytest.approx(towards(kernel(rt, bt)), rel=1e-14)


def test_traces_give_the_alignment_on_inputs_that_are_not_white():
    rng = np.random.default_rng(2)
    root = np.diag([2.0, 1.0, 0.5, 0.1])
    cov = root @ root
    (r0, b0), (rt, bt) = random_state(rng), random_state(rng)
    r0, rt = root @ r0 @ root, root @ rt @ root
    ra, ka, ta = laziness.from_traces(traces(r0, rt, b0, bt, cov), inputs=np.sum(cov**2), outputs=2)
    assert ra == pytest.approx(cosine(r0, rt), rel=1e-14)
    assert ka == pytest.approx(cosine(kernel(r0, b0, cov), kernel(rt, bt, cov)), rel=1e-14)
    assert ta == pytest.approx(towards(kernel(rt, bt, cov)), rel=1e-14)


def test_the_kernel_is_that_of_the_network():
    """K as it is used here is the Jacobian times its transpose, index order (input, output)."""
    rng = np.random.default_rng(3)
    h, d, m = 3, 4, 2
    w1, w2 = rng.standard_normal((h, d)), rng.standard_normal((m, h))
    step = 1e-6

    def jacobian_column(layer, index):
        up, down = [w1.copy(), w2.copy()], [w1.copy(), w2.copy()]
        up[layer][index] += step
        down[layer][index] -= step
        return ((up[1] @ up[0]) - (down[1] @ down[0])).T.ravel() / (2 * step)

    columns = [jacobian_column(0, i) for i in np.ndindex(h, d)]
    columns += [jacobian_column(1, i) for i in np.ndindex(m, h)]
    jacobian = np.array(columns).T
    np.testing.assert_allclose(jacobian @ jacobian.T, kernel(w1.T @ w1, w2 @ w2.T), atol=1e-8)


def test_traces_broadcast_and_mark_what_is_0_over_0():
    rng = np.random.default_rng(4)
    (r0, b0), (rt, bt) = random_state(rng), random_state(rng)
    each = [
        traces(r0, rt, b0, bt),
        traces(0 * r0, rt, b0, bt),
        traces(0 * r0, rt, 0 * b0, bt),
        traces(r0, r0, b0, b0),
    ]
    ra, ka, _ = laziness.from_traces(laziness.Traces(*np.array(each).T), inputs=4, outputs=2)
    np.testing.assert_array_equal(np.isnan(ra), [False, True, True, False])
    np.testing.assert_array_equal(np.isnan(ka), [False, False, True, False])
    assert ra[3] == pytest.approx(1, abs=1e-15)
    assert ra[3] <= 1
    assert ka[1] == pytest.approx(cosine(kernel(0 * r0, b0), kernel(rt, bt)), rel=1e-14)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("silent", [True, False])
def test_measures_from_thin_factors_are_those_of_full_matrices(outputs, silent):
    rng = np.random.default_rng(5)
    left, right = rng.standard_normal((5, 2)), rng.standard_normal((6, 2))
    readout = None if silent else 0.3 * rng.standard_normal((outputs, 5))
    start = rl.Network.from_factors(left, right, readout)
    solution = rl.solve(start, rl.Task.teacher(rng.standard_normal((outputs, 6))))
    w1 = left @ right.T
    w2 = np.zeros((outputs, 5)) if silent else readout
    for t in (0.4, 3.0):
        final1, final2 = solution.at(t).first(), solution.at(t).readout
        r0, rt = w1.T @ w1, final1.T @ final1
        k0, kt = kernel(r0, w2 @ w2.T), kernel(rt, final2 @ final2.T)
        assert solution.representation_alignment(t) == pytest.approx(cosine(r0, rt), rel=1e-8)
        assert solution.kernel_alignment(t) == pytest.approx(cosine(k0, kt), rel=1e-8)
        change = rl.weight_change([w1, w2], [final1, final2])
        assert solution.weight_change(t) == pytest.approx(change, rel=1e-8)


# -- a user's own arrays -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "hidden", "later"), [(3, 7, 7), (9, 4, 4), (5, 4, 8), (5, 8, 4)]
)
def test_representation_alignment_is_that_of_gram_matrices(samples, hidden, later):
    """Few samples take the Gram matrices, many the products over samples."""
    rng = np.random.default_rng(6)
    h0, ht = rng.standard_normal((samples, hidden)), rng.standard_normal((samples, later))
    exact = cosine(h0 @ h0.T, ht @ ht.T)
    assert rl.representation_alignment(h0, ht) == pytest.approx(exact, rel=1e-14)


def test_representation_alignment_of_weights_on_white_inputs():
    rng = np.random.default_rng(7)
    w0, wt = rng.standard_normal((3, 6)), rng.standard_normal((3, 6))
    exact = cosine(w0.T @ w0, wt.T @ wt)
    assert rl.representation_alignment(w0.T, wt.T) == pytest.approx(exact, rel=1e-14)


arrays = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed))


@given(arrays, st.integers(1, 5), st.integers(1, 5), st.floats(-120, 120), st.floats(-120, 120))
def test_alignments_lie_between_0_and_1_and_know_no_scale_or_rotation(rng, n, h, x, y):
    h0, ht = rng.standard_normal((n, h)), rng.standard_normal((n, h))
    rotation = np.linalg.qr(rng.standard_normal((h, h)))[0]
    samples = np.linalg.qr(rng.standard_normal((n, n)))[0]
    ra = rl.representation_alignment(h0, ht)
    assert 0 <= ra <= 1
    assert rl.representation_alignment(10.0**x * h0, 10.0**y * ht) == pytest.approx(ra, rel=1e-12)
    assert rl.representation_alignment(samples @ h0 @ rotation, samples @ ht) == pytest.approx(ra)
    ka = rl.kernel_alignment(10.0**x * (h0 @ h0.T), 10.0**y * (ht @ ht.T))
    assert ka == pytest.approx(ra, rel=1e-12)
    assert rl.representation_alignment(ht, h0) == pytest.approx(ra, rel=1e-12)
    assert rl.representation_alignment(h0, h0) == pytest.approx(1, abs=1e-14)


def test_kernel_alignment_takes_rounding_for_symmetric():
    k = np.array([[1.0, 0.5], [0.5 + 1e-9, 1.0]])
    assert rl.kernel_alignment(k, np.eye(2)) == pytest.approx(2 / np.sqrt(2.5 * 2))


def test_weight_change_is_that_of_all_layers_together():
    before = [np.zeros((2, 3)), np.ones((1, 2)), np.zeros((2, 2))]
    after = (np.full((2, 3), 2.0), np.ones((1, 2)), np.eye(2))
    assert rl.weight_change(before, after) == pytest.approx(np.sqrt(6 * 4 + 2), rel=1e-15)
    assert rl.weight_change(np.arange(3), [0, 4, 6]) == 5
    assert rl.relative_weight_change(before, after) == pytest.approx(np.sqrt(13), rel=1e-15)
    assert rl.relative_weight_change([[3.0, 4.0]], [[3.0, 3.0]]) == pytest.approx(0.2, rel=1e-15)


def test_sign_similarity_counts_units_and_samples():
    before = np.array([[1.0, -2.0, 0.0], [0.5, 3.0, -1.0]])
    after = np.array([[2.0, 2.0, 0.0], [0.0, 1.0, -9.0]])
    assert rl.sign_similarity(before, after) == pytest.approx(4 / 6)
    assert rl.sign_similarity(before, before) == 1
    assert rl.sign_similarity(before[:, :2], -before[:, :2]) == 0


def test_a_record_goes_to_json_and_back():
    record = rl.predict(rl.Network(np.eye(2)), rl.Task.teacher([1.0, 0.0]))
    plain = json.loads(json.dumps(record.to_dict()))
    assert plain["time"] == "inf"
    assert plain["sign_similarity"] is None
    assert plain["kernel_alignment"] == record.kernel_alignment
    assert plain["assumptions"] == list(record.assumptions)
    early = rl.predict(rl.Network(np.eye(2)), rl.Task.teacher([1.0, 0.0]), t=1.5).to_dict()
    assert early["time"] == 1.5


# -- refusals ------------------------------------------------------------------------------


def test_what_is_0_over_0_is_refused():
    zero, one = np.zeros((2, 2)), np.eye(2)
    for a, b in ((zero, one), (one, zero), (zero, zero)):
        with pytest.raises(UndefinedError, match=r"^representation alignment is 0/0: one of the t"):
            rl.representation_alignment(a, b)
        with pytest.raises(UndefinedError, match=r"^kernel alignment is 0/0: one of the two is al"):
            rl.kernel_alignment(a, b)
    for weights in (zero, [zero, zero]):
        with pytest.raises(UndefinedError, match=r"^relative weight change is 0/0: the initial we"):
            rl.relative_weight_change(weights, weights)


@pytest.mark.parametrize(
    ("call", "initial", "final", "message"),
    [
        (rl.weight_change, np.ones(2), np.ones(3), r"^initial and final must have the same shapes"),
        (
            rl.weight_change,
            [np.ones((2, 2)), np.ones((1, 2))],
            [np.ones((2, 2))],
            r"^initial and final .* same shapes: \[\(2, 2\), \(1, 2\)\] and \[\(2, 2\)\]$",
        ),
        (rl.weight_change, np.ones(2), [np.nan, 1], r"^final must be finite; it has 1 of 2 values"),
        (
            rl.weight_change,
            [np.ones((2, 2)), [["a"]]],
            [np.ones((2, 2)), np.ones((1, 1))],
            r"^initial\[1\] must hold real numbers; its dtype is <U1$",
        ),
        (rl.relative_weight_change, [], [], r"^initial must not be empty; its shape is \(0,\)$"),
        (
            rl.representation_alignment,
            np.ones((2, 3)),
            np.ones((3, 2)),
            r"^initial and final must have one row per sample each; .* \(2, 3\) and \(3, 2\)$",
        ),
        (rl.representation_alignment, np.ones(3), np.ones(3), r"^initial must have 2 dimensions"),
        (rl.kernel_alignment, np.eye(2), np.eye(3), r"^initial and final must be square and of on"),
        (
            rl.kernel_alignment,
            np.ones((2, 3)),
            np.ones((2, 3)),
            r"^initial and final must be square and of one size; they are \(2, 3\) and \(2, 3\)$",
        ),
        (
            rl.kernel_alignment,
            np.eye(2),
            [[1, 2], [3, 4]],
            r"^final must be a symmetric kernel: .*; pass H @ H.T, not activations$",
        ),
        (rl.kernel_alignment, [[1, 2], [3, 4]], np.eye(2), r"^initial must be a symmetric kernel"),
        (rl.kernel_alignment, np.eye(2), np.eye(2) * 1j, r"^final must hold real numbers"),
        (
            rl.sign_similarity,
            np.ones((2, 3)),
            np.ones((2, 2)),
            r"^initial and final must have one shape: \(2, 3\) and \(2, 2\)$",
        ),
        (rl.sign_similarity, 1.0, 1.0, r"^initial must have 2 dimensions; its shape is \(\)$"),
    ],
)
def test_bad_arrays_are_refused(call, initial, final, message):
    with pytest.raises(ValueError, match=message):
        call(initial, final)


# -- extremes, low precision and lists of parameters ----------------------------------------


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1.0, 1e200, 8e307])
def test_weight_changes_of_any_finite_size(size):
    # 3, 4, 5 in units of `size`; the relative change needs no unit
    before, after = [[0.1 * size, 0.0]], [[0.7 * size, 0.8 * size]]
    assert rl.weight_change(before, after) == pytest.approx(
        size, rel=1e-3 if size < 1e-300 else 1e-15
    )
    assert rl.relative_weight_change([[size]], [[2.0 * size]]) == 1.0
    assert rl.relative_weight_change([[size]], [[-size]]) == 2.0


def test_changes_that_float64_cannot_hold_are_refused():
    with pytest.raises(ValueError, match="weight change leaves the range of float64"):
        rl.weight_change([[1.5e308]], [[-1.5e308]])
    with pytest.raises(ValueError, match="relative weight change leaves the range of float64"):
        rl.relative_weight_change([[1e-200]], [[1e200]])
    assert rl.relative_weight_change([[1e-150]], [[1e150]]) == pytest.approx(1e300, rel=1e-15)
    with pytest.raises(UndefinedError, match="the initial weights are all zero"):
        rl.relative_weight_change([[0.0]], [[1e200]])


def test_lists_of_parameters_in_any_order():
    # the root of the summed squares: 3 entries of 2, 6 of 1
    bias, kernel = np.zeros(3), np.zeros((3, 2))
    moved = [bias + 2.0, kernel + 1.0]
    wanted = np.sqrt(3 * 4.0 + 6 * 1.0)
    assert rl.weight_change([bias, kernel], moved) == pytest.approx(wanted, rel=1e-15)
    assert rl.weight_change([kernel, bias], moved[::-1]) == pytest.approx(wanted, rel=1e-15)
    assert rl.weight_change([bias.tolist(), kernel.tolist()], moved) == pytest.approx(wanted)
    assert rl.relative_weight_change([bias + 1.0, kernel], moved) == pytest.approx(3.0 / np.sqrt(3))
    short = np.ones(2)
    assert rl.weight_change([bias, short], [bias, 3.0 * short]) == pytest.approx(np.sqrt(8.0))
    with pytest.raises(ValueError, match="initial and final must have the same shapes"):
        rl.weight_change([bias, kernel], moved[::-1])
    with pytest.raises(ValueError, match="its rows differ"):
        rl.weight_change([[1.0, 2.0], [3.0]], [[1.0, 2.0], [3.0]])
    with pytest.raises(ValueError, match="rows differ"):
        rl.weight_change([[[1.0], [2.0, 3.0]], [[1.0]]], [[[1.0], [2.0, 3.0]], [[1.0]]])
    # rows of one array, as lists or arrays, are that array
    assert rl.weight_change([bias, bias], np.full((2, 3), 1.0)) == pytest.approx(np.sqrt(6.0))


def test_a_representation_of_any_size_is_aligned_with_itself():
    h = [[1e200, 1.0], [1.0, 1e200]]
    assert rl.representation_alignment(h, h) == pytest.approx(1.0, rel=1e-15)
    tiny = [[1e-200, 0.0], [0.0, 1e-200]]
    assert rl.representation_alignment(h, tiny) == pytest.approx(1.0, rel=1e-15)


def test_kernels_with_zeros_and_the_asymmetry_of_rounding():
    kernel = np.array([[1.0, 0.0, 0.5], [1e-17, 2.0, 0.0], [0.5 + 1e-16, 0.0, 0.0]])
    assert rl.kernel_alignment(kernel, kernel) == pytest.approx(1.0, rel=1e-15)
    assert rl.kernel_alignment(8e307 * kernel, kernel) == pytest.approx(1.0, rel=1e-15)
    identity = np.diag([1.0, 1.0, 0.0])
    wanted = 3.0 / (np.sqrt(2.0) * np.sqrt(1.0 + 4.0 + 2 * 0.25))
    assert rl.kernel_alignment(kernel, identity) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize("off", [1e-4, 5e-3])
def test_a_kernel_of_low_precision_counts_by_its_symmetric_part(off):
    rng = np.random.default_rng(0)
    h = rng.standard_normal((6, 4))
    exact = h @ h.T / np.abs(h @ h.T).max()
    skew = np.triu(np.full((6, 6), 0.5 * off), 1)
    rough = exact + skew - skew.T
    other = np.eye(6)
    with pytest.warns(UserWarning, match=r"initial differs from its transpose by .* its symmetric"):
        found = rl.kernel_alignment(rough, other)
    assert found == pytest.approx(cosine(exact, other), rel=1e-14)
    with pytest.warns(UserWarning, match="final differs"):
        assert rl.kernel_alignment(other, rough) == pytest.approx(found, rel=1e-14)
    single = (exact + 2e-7 / off * (skew - skew.T)).astype(np.float32)  # no word for float32
    assert rl.kernel_alignment(single, other) == pytest.approx(found, rel=1e-5)


def test_activations_are_not_a_kernel():
    h = np.random.default_rng(0).standard_normal((5, 5))
    with pytest.raises(ValueError, match=r"differs from its transpose by .* not activations"):
        rl.kernel_alignment(h, h)
    barely = np.eye(3)
    barely[0, 1] = 0.011
    with pytest.raises(ValueError, match="final must be a symmetric kernel"):
        rl.kernel_alignment(np.eye(3), barely)


def test_signs_before_and_after_the_nonlinearity():
    rng = np.random.default_rng(1)
    h0, ht = rng.standard_normal((20, 7)), rng.standard_normal((20, 7))
    kept = float(np.mean(np.sign(h0) == np.sign(ht)))
    assert rl.sign_similarity(h0, ht) == kept
    assert rl.sign_similarity(np.tanh(h0), np.tanh(ht)) == kept
    assert rl.sign_similarity(np.maximum(h0, 0), np.maximum(ht, 0)) == kept
    assert rl.sign_similarity(1 / (1 + np.exp(-h0)), 1 / (1 + np.exp(-ht))) == 1.0
