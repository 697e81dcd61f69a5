"""T20: the lazy limit, for any start and for a typical one."""

from __future__ import annotations

import sympy as sp
from sympy import MatrixSymbol, Trace, exp

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.frame.lag_sums import explicit, k, l, unrolled
from derivations.frame.matrix_words import coefficients
from derivations.t17_recurrent_kernel import DERIVATION as T17
from derivations.t20_typical_start.symbols import CUMULANTS, K, g, moment, s, u, v

__all__ = ["FORMULAS", "NOTATION", "STEPS"]

q, a, b, c = sp.symbols("M a b c", integer=True, positive=True)
rate, t, gap = sp.symbols("lambda t e_0", positive=True)
J_V, J_U, J_W = (MatrixSymbol(f"J_{x}", q, y) for x, y in (("V", a), ("U", b), ("W", c)))
path, other = MatrixSymbol("q", q, 1), MatrixSymbol("Z", c, 1)

FORMULAS = {
    "lazy_mode_error": gap * exp(-rate * t),
    "lazy_mode_path": gap * (1 - exp(-rate * t)) / rate,
    "lazy_gap": (J_V * J_V.T + J_U * J_U.T + J_W * J_W.T) * path,
    "lazy_change_V": J_V.T * path,
    "lazy_change_U": J_U.T * path,
    "lazy_change_W": J_W.T * path,
    "lazy_change_W_squared": Trace(path.T * J_W * J_W.T * path),
    "typical_driven": u**2 * g ** (2 * k),
    "typical_read": v**2 * g ** (2 * k),
    "typical_kernel_W": k * g ** (2 * k - 2) * u**2 * v**2,
    "typical_kernel": (u**2 + v**2) * g ** (2 * k) + k * g ** (2 * k - 2) * u**2 * v**2,
    "lazy_V_squared": s**2 * u**2 * g ** (2 * k) / K**2,
    "lazy_U_squared": s**2 * v**2 * g ** (2 * k) / K**2,
    "lazy_W_squared": s**2 * k * g ** (2 * k - 2) * u**2 * v**2 / K**2,
    "lazy_squared": s**2 / K,
}

NOTATION = {
    q: "number of responses, T m n",
    a: "number of entries of V",
    b: "number of entries of U",
    c: "number of entries of W",
    rate: "an eigenvalue of the kernel at the start, K_0",
    gap: "a component of S - F_0 along its eigenvector",
    t: "time",
    J_V: "Jacobian of the responses in V at the start",
    J_U: "the same in U",
    J_W: "the same in W",
    path: "the integral of the errors over all time, K_0^-1 (S - F_0)",
    u: "length of U (of one channel)",
    v: "length of V (of one output)",
    s: "S_k, the task at lag k (of one channel and output)",
}


def _mode(lazy_mode_error, lazy_mode_path):
    return [
        sp.diff(lazy_mode_error, t) + rate * lazy_mode_error,
        lazy_mode_error.subs(t, 0) - gap,
        sp.diff(lazy_mode_path, t) - lazy_mode_error,
        lazy_mode_path.subs(t, 0),
    ]


def _change(lazy_gap, lazy_change_V, lazy_change_U, lazy_change_W, lazy_change_W_squared):
    # The flow of T16 at fixed Jacobians is theta' = J'e; its integral is J' times that of e.
    for jacobian, change in ((J_V, lazy_change_V), (J_U, lazy_change_U), (J_W, lazy_change_W)):
        yield coefficients(change - jacobian.T * path)
    # With these changes no gap is left.
    met = J_V * lazy_change_V + J_U * lazy_change_U + J_W * lazy_change_W
    yield coefficients(lazy_gap - met)
    yield Trace(lazy_change_W.T * lazy_change_W) - lazy_change_W_squared


def _words(typical_driven, typical_read, two_runs, spectrum_cumulant_1):
    """C_k'C_l is a word on U, O_k O_l' one on V; different lags and roots are orthogonal."""
    gain = {CUMULANTS[0]: spectrum_cumulant_1}
    yield [x - y**2 * two_runs.subs(gain) for x, y in ((typical_driven, u), (typical_read, v))]
    yield [moment((-1,) * x + (1,) * y) for x in range(4) for y in range(4) if x != y]


def _kernel(typical_driven, typical_read, typical_kernel_W, typical_kernel):
    """T17's kernel for the typical Gram matrices, two channels and two outputs."""
    lengths = {u: sp.symbols("u_1:3", positive=True), v: sp.symbols("v_1:3", positive=True)}
    n, m = T17.symbols["n"], T17.symbols["m"]
    sizes = {n: 2, m: 2}
    grams = {"G^c": (typical_driven, u), "G^o": (typical_read, v)}
    given = {}
    for name, (claim, length) in grams.items():
        for x in range(4):
            for y in range(4):
                letter = sp.MatrixSymbol(f"{name}_{x}_{y}", 2, 2)
                values = [claim.subs({length: z, k: x}) * int(x == y) for z in lengths[length]]
                given[letter] = sp.ImmutableMatrix(sp.diag(*values))
    for x in range(4):
        for y in range(4):
            for name, claim in (("kernel", typical_kernel), ("kernel_W", typical_kernel_W)):
                written = unrolled(T17.formulas[name], {k: x, l: y})
                block = explicit(written.subs(sizes).xreplace(given), sizes)
                claimed = [
                    int(x == y) * claim.subs({u: channel, v: output, k: x})
                    for output in lengths[v]
                    for channel in lengths[u]
                ]
                yield block - sp.diag(*claimed)


def _squares(
    closed, typical_driven, typical_read, typical_kernel_W, typical_kernel,
    lazy_V_squared, lazy_U_squared, lazy_W_squared, lazy_squared,
):  # fmt: skip
    # |J'q|^2 = q J J'q, with the part of the kernel that belongs to the matrix; q = S_k / K_k.
    parts = (
        (lazy_V_squared, typical_driven),
        (lazy_U_squared, typical_read),
        (lazy_W_squared, typical_kernel_W),
    )
    yield [squared - (s / K) ** 2 * part for squared, part in parts]
    yield closed(lazy_squared - sum(squared for squared, _ in parts))
    yield typical_kernel - sum(part for _, part in parts)


STEPS = (
    Step(
        ("lazy_mode_error", "lazy_mode_path"),
        "A task that is small enough moves the responses without moving the kernel: e' = -K_0 e, "
        "along every eigenvector of K_0.",
        Zero(_mode),
    ),
    Step(
        ("lazy_gap", "lazy_change_V", "lazy_change_U", "lazy_change_W", "lazy_change_W_squared"),
        "The flow at fixed Jacobians integrates to J'q, with q = K_0^-1 (S - F_0) the integral of "
        "the errors: K_0 q = S - F_0, with K_0 the sum of J J'. For any start.",
        Zero(_change),
    ),
    Step(
        ("typical_driven", "typical_read"),
        "A typical start: C_k'C_l is the word W'^k W^l on a random direction, O_k O_l' another. "
        "Words of two runs know the gain alone and vanish unless k = l.",
        Zero(_words),
    ),
    Step(
        ("typical_kernel_W", "typical_kernel"),
        "Put into T17: the kernel of a typical start is diagonal, with one entry for each lag, "
        "output and channel. Two channels and two outputs of different lengths, lags 0 to 3.",
        Zero(_kernel),
    ),
    Step(
        ("lazy_V_squared", "lazy_U_squared", "lazy_W_squared", "lazy_squared", "typical_kernel"),
        "So each lag, output and channel adds by itself, and the spectrum of W does not matter: "
        "what rank does begins at the next order. F_0 of a typical start is 0.",
        Zero(_squares),
    ),
)
