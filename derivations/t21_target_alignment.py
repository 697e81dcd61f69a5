"""T21: how well the tangent kernel is aligned with the task, and the rank of the weight change."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, KroneckerProduct, MatrixSymbol, Trace, sqrt

from derivations.frame.checks import Zero
from derivations.frame.derivation import Derivation, Step
from derivations.frame.matrix_words import entries, expand_traces, orthonormal
from derivations.t01_gradient_flow import W1, W2, Syx, d, h, m
from derivations.t06_flat_low_rank import DERIVATION as T6
from derivations.t06_flat_low_rank.symbols import (
    ACTIVE_UNIT,
    FRAME,
    TASK,
    B,
    R,
    a,
    alpha,
    c,
    first_layer,
    g,
    mu,
    r,
    s,
    v,
    w_par,
    w_perp,
)

__all__ = ["DERIVATION"]

n = sp.Symbol("n", integer=True, positive=True)
H, U, V = (MatrixSymbol(x, size, n) for x, size in (("H", h), ("U", m), ("V", d)))
A, C, S, DA = (MatrixSymbol(x, n, n) for x in ("A", "C", "S", "Delta"))
WHITE, ROOT = MatrixSymbol("W_w", m, d), MatrixSymbol("Q", d, d)
P, X, z, T = sp.symbols("P X z T", positive=True)
total, squares, cubes = sp.symbols("p q k_3", positive=True)
size, moved = sp.symbols("N_K theta", positive=True)
_MODES = orthonormal(H) | orthonormal(U) | orthonormal(V)
_SQUARED = w_par**2 + w_perp**2
_KERNEL = s**4 * (r - 1) + _SQUARED**2 + d * a**4 + 2 * a**2 * (s**2 * (r - 1) + _SQUARED)
_FAST = P**2 + 1  # P times (P + 1/P), twice the rate of growth over g

FORMULAS = {
    "along_task": Trace(W1 * Syx.T * Syx * W1.T) + Trace(W2.T * Syx * Syx.T * W2),
    "defect": size - moved**2,
    "along_modes": Trace(S * S * A * A) + Trace(S * S * C * C),
    "change_square": Trace(DA * DA),
    "change_fourth": Trace(DA * DA * DA * DA),
    "along_one": g**2 * (w_par**2 + a**2),
    "target_alignment": (w_par**2 + a**2) / sqrt(_KERNEL),
    "target_alignment_start": c / sqrt(r),
    "target_alignment_start_mean": sqrt(r) / d,
    "along_slope": 4 * a * w_par * (g - a * w_par) - 2 * a**2 * w_perp**2,
    "along_slope_positive": 4
    * s**2
    * c
    * z
    * (
        c * (sqrt(1 + (1 + s**4 / 4) * z**2) + s**2 * z / 2)
        + (1 - c) * T**2 * sqrt(1 + (1 + s**4 / 4) * z**2)
    )
    / (c * ((sqrt(1 + (1 + s**4 / 4) * z**2) + s**2 * z / 2) ** 2 - z**2) + (1 - c) * T**2) ** 2,
    "target_alignment_final": (mu**2 + alpha**2)
    / sqrt(s**4 * (r - 1) + mu**4 + d * alpha**4 + 2 * alpha**2 * (s**2 * (r - 1) + mu**2)),
    "rank": X * P / (P**2 - 1),
    "rank_slope": -X * _FAST / (P**2 - 1) ** 2,
    "final_inverse_square": X * P / _FAST + (d + 1 + 2 * P**2) / _FAST**2,
    "final_slope": -X * (P**2 - 1) / _FAST**2 - 4 * P * (d + P**2) / _FAST**3,
    "outputs_inverse_square": m * (X * P / _FAST + (d + m + 2 * m * P**2) / _FAST**2),
    "outputs_slope": -m * (X * (P**2 - 1) / _FAST**2 + 4 * P * (d + m * P**2) / _FAST**3),
    "target_alignment_rich": 2 / sqrt(d + 3),
    "target_alignment_rich_outputs": 2 * cubes / (squares * sqrt((m + d) * squares + 2 * total**2)),
    "target_alignment_lazy": 1 / sqrt(r),
    "lazy_gain": (1 - c) / sqrt(r),
    "change_rank_rich": total**2 / squares,
}


def _along(along_task):
    kernel = T6.formulas["tangent_kernel"]
    whole = kernel.xreplace({R: W1.T * W1, B: W2 * W2.T})
    root = ROOT + ROOT.T
    seen = KroneckerProduct(root * W1.T * W1 * root, Identity(m)) + KroneckerProduct(
        root * root, W2 * W2.T
    )
    for sizes in ({d: 1, h: 1, m: 2}, {d: 2, h: 1, m: 1}, {d: 2, h: 2, m: 2}, {d: 3, h: 1, m: 2}):
        task = entries(Syx, sizes).vec()
        yield (task.T * entries(whole, sizes) * task)[0] - entries(along_task, sizes)
        task = entries(WHITE * root, sizes), entries(WHITE, sizes).vec()
        claim = along_task.xreplace({Syx: WHITE * root})
        yield (task[1].T * entries(seen, sizes) * task[1])[0] - entries(claim, sizes)


def _defect(defect):
    # In a basis that begins with S/|S|: K - theta S S'/|S|^2 lacks one entry of K, theta.
    for count in (1, 2, 3):
        kernel = sp.Matrix(count, count, lambda i, j: sp.Symbol(f"k_{min(i, j)}{max(i, j)}"))
        rest = kernel.copy()
        rest[0, 0] = 0
        meaning = {size: sum(x**2 for x in kernel), moved: kernel[0, 0]}
        yield defect.subs(meaning) - sum(x**2 for x in rest)


def _modes(along_task, along_modes):
    meaning = {W1: H * A * V.T, W2: U * C * H.T, Syx: U * S * V.T}
    diagonal = {x.T: x for x in (A, C, S)}
    value = expand_traces(along_task.xreplace(meaning).doit().xreplace(diagonal), _MODES)
    # diagonal matrices commute
    wanted = {
        Trace(A * S * S * A): Trace(S * S * A * A),
        Trace(C * S * S * C): Trace(S * S * C * C),
    }
    for before, after in wanted.items():
        value = value.subs(expand_traces(before), expand_traces(after))
    yield value - expand_traces(along_modes)
    for count in (1, 2, 3):
        of = [sp.diag(*sp.symbols(f"{x}_1:{count + 1}")) for x in "acs"]
        explicit = along_modes.xreplace(dict(zip((A, C, S), of, strict=True))).doit()
        one, other, task = (x.diagonal() for x in of)
        yield explicit - sum(k**2 * (x**2 + y**2) for x, y, k in zip(one, other, task, strict=True))


def _change(change_square, change_fourth):
    moved = H * DA * V.T
    diagonal = {DA.T: DA}
    square = (moved * moved.T).doit().xreplace(diagonal)
    yield expand_traces(Trace(square), _MODES) - expand_traces(change_square)
    yield expand_traces(Trace(square * square), _MODES) - expand_traces(change_fourth)


def _one_output(along_one, target_alignment):
    first = first_layer(w_par, w_perp, s)
    direction = TASK.T * first.T * first * TASK
    seen = expand_traces(Trace(direction), FRAME)
    read = expand_traces(Trace(a**2 * ACTIVE_UNIT.T * ACTIVE_UNIT), FRAME)
    yield along_one - g**2 * (seen + read)
    traces = T6.formulas["representation_trace"], T6.formulas["representation_norm_squared"]
    norm = _kernel_square(1, *traces, a**2, a**4)
    yield target_alignment**2 * g**4 * norm - along_one**2
    yield target_alignment.subs({w_par: 1, w_perp: 0, a: 0, s: 1, r: 1}) - 1  # the positive root


def _kernel_square(outputs, trace, square, readout, readout_square):
    """|K|^2 from tr R, tr R^2, tr B, tr B^2 by the identity of T6."""
    return outputs * square + 2 * trace * readout + d * readout_square


def _start(target_alignment, target_alignment_start, target_alignment_start_mean):
    start = {w_par: s * sqrt(c), w_perp: s * sqrt(1 - c), a: 0}
    yield target_alignment.subs(start) - target_alignment_start
    yield target_alignment_start.subs(c, r / d) - target_alignment_start_mean


def _slope(along_one, along_slope, along_slope_positive):
    # The flow of T1 in the active direction.
    rates = {
        w_par: a * (g - a * w_par),
        w_perp: -(a**2) * w_perp,
        a: w_par * (g - a * w_par) - a * w_perp**2,
    }
    yield along_slope * g**2 - sum(along_one.diff(x) * rate for x, rate in rates.items())
    # The state of T6 at g = 1, with sinh(kappa t)/kappa = z and exp(s^2 t/2) = T.
    half, wide = s**2 / 2, sqrt(1 + (1 + s**4 / 4) * z**2)
    growth = wide + half * z
    below = sqrt(c * (growth**2 - z**2) + (1 - c) * T**2)
    state = {
        w_par: s * sqrt(c) * growth / below,
        w_perp: s * sqrt(1 - c) * T / below,
        a: s * sqrt(c) * z / below,
        g: 1,
    }
    yield along_slope.subs(state) - along_slope_positive


def _final(target_alignment, target_alignment_final):
    end = {w_par: mu, w_perp: 0, a: alpha}
    yield target_alignment_final - target_alignment.subs(end)
    # the end state of T6, through what T6 says of KA there
    kernel = T6.formulas["kernel_alignment"].subs({v: mu * sqrt(c)} | end)
    yield kernel - T6.formulas["kernel_alignment_final"]


_END = {s: sqrt(g * (P - 1 / P)), mu: sqrt(g * P), alpha: sqrt(g / P)}


def _normal_form(closed, target_alignment_final, rank, rank_slope, final_inverse_square):
    # mu alpha = g and mu^2 - alpha^2 = s^2, and sigma^2 = r s^2 = X g.
    yield rank * (_END[s] ** 2) - X * g
    yield rank_slope - rank.diff(P)
    whole = (target_alignment_final ** (-2)).subs(r, rank).subs(_END)
    yield sp.together(sp.expand(whole)) - final_inverse_square
    yield target_alignment_final.subs({mu: 1, alpha: 0, s: 1, r: 1}) - 1


def _falls(final_inverse_square, final_slope):
    return final_slope - final_inverse_square.diff(P)


def _outputs(outputs_inverse_square, outputs_slope, final_inverse_square, rank):
    spare, seen, read = r - m, mu**2, alpha**2
    square = _kernel_square(
        m, m * seen + s**2 * spare, m * seen**2 + s**4 * spare, m * read, m * read**2
    )
    # g the common strength: <S, K S>/|S|^2 = mu^2 + alpha^2
    value = (square / (seen + read) ** 2).subs(r, rank).subs(_END)
    yield sp.together(sp.expand(value)) - outputs_inverse_square
    yield outputs_slope - outputs_inverse_square.diff(P)
    yield outputs_inverse_square.subs(m, 1) - final_inverse_square


def _rich(
    final_inverse_square,
    outputs_inverse_square,
    target_alignment_rich,
    target_alignment_rich_outputs,
    change_rank_rich,
):
    at_rest = {P: 1, X: 0}
    yield target_alignment_rich ** (-2) - final_inverse_square.subs(at_rest)
    yield target_alignment_rich.subs(d, 1) - 1
    # R = sum s_i v_i v_i' and B = sum s_i u_i u_i' of T8
    norm = _kernel_square(m, total, squares, total, squares)
    yield target_alignment_rich_outputs * squares * sqrt(norm) - 2 * cubes
    equal = {total: m * g, squares: m * g**2, cubes: m * g**3}
    many = target_alignment_rich_outputs.subs(equal)
    yield many ** (-2) - outputs_inverse_square.subs(at_rest)
    # singular values sqrt(s_i) of both layers: sums of their squares and fourth powers
    yield change_rank_rich * squares - total * total
    for count in (1, 2, 3):
        strengths = sp.symbols(f"s_1:{count + 1}", positive=True)
        layer = sp.diag(*map(sqrt, strengths))
        gram = layer * layer.T
        meaning = {total: sum(strengths), squares: sum(x**2 for x in strengths)}
        yield change_rank_rich.subs(meaning) - gram.trace() ** 2 / (gram * gram).trace()


def _lazy(final_inverse_square, rank, target_alignment_start, target_alignment_lazy, lazy_gain):
    # sigma -> oo at fixed r: X = r (P^2 - 1)/P, P -> oo.
    scale = sp.solve(rank - r, X)[0]
    at_large = sp.together(final_inverse_square.subs(X, scale))
    yield sp.limit(at_large, P, sp.oo) - target_alignment_lazy ** (-2)
    yield target_alignment_lazy.subs(r, 1) - 1
    yield lazy_gain - (target_alignment_lazy - target_alignment_start)


STEPS = (
    Step(
        ("along_task",),
        "vec(S)' K vec(S), index (input, output), entry by entry at four sizes. With inputs that "
        "are not white S = Syx Q^-1 and K is seen through Q = Sxx^(1/2): the roots cancel, and "
        "the same traces of Syx come out.",
        Zero(_along),
    ),
    Step(
        ("defect",),
        "|K - theta s s'|^2 with s = S/|S| and theta = s'Ks is |K|^2 - theta^2, so TA = "
        "theta/|K| is at most 1, and 1 exactly for K = theta s s': of a trained network with more "
        "than one input never, since K = R + b I then has full rank.",
        Zero(_defect),
    ),
    Step(
        ("along_modes",),
        "Modes (T3): W1 = H A V', W2 = U C H', S = U S V' with diagonal A, C, S: the sum of "
        "s_i^2 (a_i^2 + b_i^2).",
        Zero(_modes),
    ),
    Step(
        ("change_square", "change_fourth"),
        "Modes move by their sizes alone: dW1 = H Delta V'. The participation ratio of the change "
        "is (sum of squares)^2 over the sum of fourth powers.",
        Zero(_change),
    ),
    Step(
        ("along_one", "target_alignment"),
        "One output, flat start (T6): the directions at rest are orthogonal to the task, and |K|^2 "
        "is that of T6. Both layers change in one hidden direction: their changes have rank one.",
        Zero(_one_output),
    ),
    Step(
        ("target_alignment_start", "target_alignment_start_mean"),
        "At the start. Over random tasks (T7) E c = r/d: a low rank begins worse aligned.",
        Zero(_start),
    ),
    Step(
        ("along_slope", "along_slope_positive"),
        "The rate of <S, K S>/g^2, and at the state of T6 (g = 1): a product of positive terms, so "
        "that <S, K S> rises from the first step to the last, whatever c > 0.",
        Zero(_slope),
    ),
    Step(
        ("target_alignment_final",),
        "At the end of T6, whose state does not depend on c: no more does TA.",
        Zero(_final),
    ),
    Step(
        ("rank", "rank_slope", "final_inverse_square"),
        "s^2 = g (P - 1/P), mu^2 = g P, alpha^2 = g/P, with P > 1, and X = sigma^2/g held fixed: "
        "the rank falls as P grows.",
        Zero(_normal_form),
    ),
    Step(
        ("final_slope",),
        "1/TA^2 falls strictly as P grows, both terms being negative at P > 1. So at every norm, "
        "strength and number of inputs, for random tasks and aligned ones alike, TA at the end "
        "falls strictly as the rank grows: low-rank starts do end better aligned with their task.",
        Zero(_falls),
    ),
    Step(
        ("outputs_inverse_square", "outputs_slope"),
        "The same for m outputs of equal strength g and ranks r >= m, X = sigma^2/g.",
        Zero(_outputs),
    ),
    Step(
        ("target_alignment_rich", "target_alignment_rich_outputs", "change_rank_rich"),
        "sigma -> 0 (T8): any spectrum ends at the same TA, and the change of either layer has the "
        "participation ratio of the strengths.",
        Zero(_rich),
    ),
    Step(
        ("target_alignment_lazy", "lazy_gain"),
        "sigma -> oo (T9): TA at the end is 1/sqrt(r) whatever c. Unless c = 1 the gain over the "
        "start does not vanish: the kernel of the laziest start still turns towards its task.",
        Zero(_lazy),
    ),
)

DERIVATION = Derivation(
    id="T21",
    title="Target alignment and the rank of the change",
    assumptions=(
        "TA = <S, K S>/(|K| |S|^2) of the tangent kernel K of T6 and the task S = Syx, white "
        "inputs but where Q is named.",
        "One output: the setting of T6, c > 0 after the start.",
        "m outputs of equal strength: the end of T6 with r >= m and V_r'V of full column rank.",
        "The rank is any real number where TA falls with it.",
    ),
    notation={
        d: "number of inputs",
        h: "number of hidden units",
        m: "number of outputs",
        n: "number of modes",
        r: "rank of W1(0)",
        W1: "first weights",
        W2: "second weights",
        Syx: "input-output covariance, the task",
        WHITE: "the least-squares map times Q, the task seen through whitened inputs",
        ROOT: "root of Sxx, half of it: Q + Q' is symmetric",
        H: "hidden directions of the modes",
        U: "output directions of the modes",
        V: "input directions of the modes",
        A: "diagonal matrix of the a_i",
        C: "diagonal matrix of the b_i",
        S: "diagonal matrix of the strengths s_i",
        DA: "diagonal matrix of the changes of the a_i",
        c: "alignment of the start with the task",
        g: "strength of the task, of every mode of several outputs",
        s: "singular value of the start, sigma/sqrt(r)",
        w_par: "the active direction along the task",
        w_perp: "the active direction across it",
        a: "readout of the active direction",
        mu: "w_par at the end",
        alpha: "readout at the end",
        z: "sinh(kappa t)/kappa at g = 1, kappa^2 = 1 + s^4/4",
        T: "exp(s^2 t/2) at g = 1",
        P: "mu^2/g",
        X: "sigma^2/g",
        size: "|K|^2",
        moved: "S'K S/|S|^2 of the vector S",
        total: "sum of the strengths s_i",
        squares: "sum of their squares",
        cubes: "sum of their cubes",
    },
    shorthand={},
    formulas=FORMULAS,
    steps=STEPS,
    sources=("This project, from T1, T3, T6, T8 and T9.",),
)
