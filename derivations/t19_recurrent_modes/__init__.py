"""T19: aligned recurrent networks decouple into modes, real or complex."""

from __future__ import annotations

import sympy as sp
from sympy import MatrixSymbol, Sum, conjugate

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Derivation, Step
from derivations.frame.lag_sums import Member, T, explicit, k, scalar, unrolled
from derivations.frame.matrix_words import coefficients, orthonormal
from derivations.t16_recurrent_flow import DERIVATION as T16
from derivations.t16_recurrent_flow.symbols import NOTATION, STEPS_TRIED, N, S, U, V, W, m, n, w
from derivations.t19_recurrent_modes import geometric
from derivations.t19_recurrent_modes.geometric import a, u, v

__all__ = ["DERIVATION"]

p = sp.Symbol("r", integer=True, positive=True)
x, y, z, dx, dy = sp.symbols("x y z dx dy")  # complex
turn_x, turn_y, grow_x, grow_y = sp.symbols("turn_x turn_y grow_x grow_y", real=True)
s, s_pair = scalar("s"), scalar("s^c")

Q, L, O = (MatrixSymbol(name, rows, p) for name, rows in (("Q", N), ("L", n), ("O", m)))
u_, a_, v_, s_ = (MatrixSymbol(f"D{name}", p, p) for name in "uavs")
FRAME = orthonormal(Q) | orthonormal(L) | orthonormal(O)


def _gap(lag):
    return s(lag) - v * a**lag * u


def _pair_gap(lag):
    return s_pair(lag) - y * z**lag * x


FORMULAS = {
    "aligned_U": Q * u_ * L.T,
    "aligned_W": Q * a_ * Q.T,
    "aligned_V": O * v_ * Q.T,
    "aligned_S": O * Member(s_, k) * L.T,
    "mode_loss": Sum(w(k) * _gap(k) ** 2, (k, 0, T - 1)) / 2,
    "mode_rate_u": Sum(w(k) * _gap(k) * v * a**k, (k, 0, T - 1)),
    "mode_rate_v": Sum(w(k) * _gap(k) * u * a**k, (k, 0, T - 1)),
    "mode_rate_a": Sum(w(k) * _gap(k) * u * v * k * a ** (k - 1), (k, 1, T - 1)),
    "mode_conserved": u**2 - v**2,
    "pair_rate_x": Sum(w(k) * _pair_gap(k) * conjugate(y) * conjugate(z) ** k, (k, 0, T - 1)),
    "pair_rate_y": Sum(w(k) * _pair_gap(k) * conjugate(x) * conjugate(z) ** k, (k, 0, T - 1)),
    "pair_rate_z": Sum(
        w(k) * _pair_gap(k) * conjugate(x * y) * k * conjugate(z) ** (k - 1), (k, 1, T - 1)
    ),
    "pair_conserved": x * conjugate(x) - y * conjugate(y),
    "pair_balance": conjugate(x) * dx - conjugate(y) * dy,
    **geometric.FORMULAS,
}


def _aligned(closed, aligned_U, aligned_W, aligned_V, aligned_S):
    """The flow of T16 is Q, L and O around the flow of T16 of the small matrices."""
    sized = {N: p, n: p, m: p}
    task = S.symbol
    small = {U: u_, W: a_, V: v_, task: s_}
    for steps in STEPS_TRIED:
        for name, left, right in (
            ("flow_U", Q, L.T),
            ("flow_W", Q, Q.T),
            ("flow_V", O, Q.T),
            ("response", O, L.T),
        ):
            at = {T: steps, k: steps - 1}
            claim = T16.claims[name]
            large = claim.xreplace({U: aligned_U, W: aligned_W, V: aligned_V, task: aligned_S})
            inner = claim.subs(sized).xreplace({x.subs(sized): y for x, y in small.items()})
            yield coefficients(
                unrolled(large, at) - left * unrolled(inner, at) * right, FRAME
            )  # fmt: skip


def _written(claim, steps, first, middle, last, tasks):
    """A claim of T16 for explicit 2 x 2 matrices."""
    sizes = {N: 2, n: 2, m: 2}
    given = {U: first, W: middle, V: last}
    given |= {unrolled(S(k), {k: lag}): value for lag, value in enumerate(tasks)}
    letters = {letter.subs(sizes): sp.ImmutableMatrix(value) for letter, value in given.items()}
    return explicit(unrolled(T16.claims[claim], {T: steps}).subs(sizes).xreplace(letters), sizes)


def _modes(mode_rate_u, mode_rate_v, mode_rate_a):
    """Diagonal matrices: nothing grows off the diagonal, and each entry has its own flow."""
    modes = [
        dict(zip((u, a, v), sp.symbols(f"u{x} a{x} v{x}", real=True), strict=True)) for x in "12"
    ]

    def strength(mode, lag):
        return sp.Symbol(f"s{mode}_{lag}", real=True)

    for steps in STEPS_TRIED:
        weights = [sp.diag(*(mode[letter] for mode in modes)) for letter in (u, a, v)]
        tasks = [sp.diag(*(strength(mode, lag) for mode in range(2))) for lag in range(steps)]
        for name, rate in (("U", mode_rate_u), ("V", mode_rate_v), ("W", mode_rate_a)):
            written = unrolled(rate, {T: steps})
            own = (
                written.xreplace(
                    {
                        **values,
                        **{unrolled(s(k), {k: lag}): strength(mode, lag) for lag in range(steps)},
                    }
                )
                for mode, values in enumerate(modes)
            )
            yield _written(f"flow_{name}", steps, *weights, tasks) - sp.diag(*own)


def _one_mode(mode_loss, mode_rate_u, mode_rate_v, mode_rate_a, mode_conserved):
    for steps in STEPS_TRIED:
        loss, *rates = (
            unrolled(claim, {T: steps})
            for claim in (mode_loss, mode_rate_u, mode_rate_v, mode_rate_a)
        )
        yield [rate + sp.diff(loss, letter) for rate, letter in zip(rates, (u, v, a), strict=True)]
        yield sum(sp.diff(mode_conserved, x) * rate for x, rate in zip((u, v), rates, strict=False))
        # The loss is half the weighted squares, and a mode that is not driven is at rest.
        yield loss - sum(unrolled(w(k) * _gap(k) ** 2 / 2, {k: lag}) for lag in range(steps))
        yield [rate.subs({u: 0, v: 0}) for rate in rates]
    yield mode_conserved.subs(v, 0) - u**2


def _block(number):
    """A complex number as a rotation and scaling of the plane."""
    real, imaginary = sp.expand(number).as_real_imag()
    return sp.Matrix([[real, -imaginary], [imaginary, real]])


def _parts(steps):
    """Every complex letter as its real and imaginary part."""
    letters = [x, y, z, *(unrolled(s_pair(k), {k: lag}) for lag in range(steps))]
    return {
        letter: sp.Symbol(f"Re{letter}", real=True) + sp.I * sp.Symbol(f"Im{letter}", real=True)
        for letter in letters
    }


def _pairs(pair_rate_x, pair_rate_y, pair_rate_z):
    for steps in STEPS_TRIED[:3]:
        parts = _parts(steps)
        weights = [_block(parts[letter]) for letter in (x, z, y)]
        tasks = [_block(parts[unrolled(s_pair(k), {k: lag})]) for lag in range(steps)]
        for name, rate in (("U", pair_rate_x), ("V", pair_rate_y), ("W", pair_rate_z)):
            own = _block(unrolled(rate, {T: steps}).xreplace(parts).doit())
            yield _written(f"flow_{name}", steps, *weights, tasks) - own


def _balanced(closed, pair_rate_x, pair_rate_y, pair_balance, pair_conserved):
    # x = |x| e^(i phi) has the rate x (|x|'/|x| + i phi'), and y alike.
    polar = ((x, dx, grow_x + sp.I * turn_x, 1), (y, dy, grow_y + sp.I * turn_y, -1))
    yield pair_balance.subs({rate: letter * log_rate for letter, rate, log_rate, _ in polar}) - sum(
        sign * letter * conjugate(letter) * log_rate for letter, _, log_rate, sign in polar
    )
    yield pair_conserved - sum(sign * letter * conjugate(letter) for letter, _, _, sign in polar)
    for steps in STEPS_TRIED[:3]:
        parts = _parts(steps)
        meaning = {dx: pair_rate_x, dy: pair_rate_y}
        written = unrolled(pair_balance.subs(meaning), {T: steps})
        yield list(_block(written.xreplace(parts).doit()))


STEPS = (
    Step(
        ("aligned_U", "aligned_W", "aligned_V", "aligned_S"),
        "Axes in common: Q'Q = 1, L'L = 1, O'O = 1. The flow of T16 stays in them, and what "
        "stands between is T16's flow of the four small matrices. Words, T = 1 to 4.",
        Substitution(_aligned, equation="the flow of T16"),
    ),
    Step(
        ("mode_rate_u", "mode_rate_v", "mode_rate_a"),
        "If the four are diagonal, they stay so, and each entry has a flow of its own. Two modes, "
        "entry by entry, T = 1 to 4.",
        Substitution(_modes, equation="the flow of T16 with diagonal matrices"),
    ),
    Step(
        ("mode_loss", "mode_rate_u", "mode_rate_v", "mode_rate_a", "mode_conserved"),
        "It is the gradient flow of the mode's own loss. D of T16 is u^2 - v^2. With u = v = 0 "
        "nothing moves, the recurrent weight included.",
        Zero(_one_mode),
    ),
    Step(
        ("pair_rate_x", "pair_rate_y", "pair_rate_z"),
        "A pair of complex eigenvalues of a normal W is a 2 x 2 block that rotates and scales. "
        "Such blocks multiply like complex numbers x, z, y, s^c_k, and are transposed by "
        "conjugation. If U, V and the S_k have such blocks too they keep them. Entry by entry, "
        "T = 1 to 3.",
        Substitution(_pairs, equation="the flow of T16 with rotation-scaling blocks"),
    ),
    Step(
        ("pair_balance", "pair_conserved"),
        "The moment of T16 is one complex number here, and vanishes. Its real part is half the "
        "rate of |x|^2 - |y|^2, its imaginary part |x|^2 phi_x' - |y|^2 phi_y', with the phases "
        "of x and y. So equal lengths turn alike.",
        Zero(_balanced),
    ),
    *geometric.STEPS,
)

DERIVATION = Derivation(
    id="T19",
    title="Recurrent networks: aligned modes",
    assumptions=(
        "The network and the flow of T16.",
        "Real modes: diagonal Du, Da, Dv, Ds_k. Complex pairs: 2 x 2 rotation-scaling blocks in "
        "all of them, so that a pair has two channels and two outputs.",
        "Geometric tasks: one real mode, lags counted once, |lambda| < 1 and |a| < 1.",
    ),
    notation={
        **NOTATION,
        p: "number of modes",
        Q: "orthonormal axes of the units",
        L: "orthonormal axes of the channels",
        O: "orthonormal axes of the outputs",
        u_: "input weights of the modes",
        a_: "recurrent weights of the modes",
        v_: "readout weights of the modes",
        s_: "Ds_k, the task of the modes at lag k",
        s(k): "s_k, the task of one mode at lag k",
        **geometric.NOTATION,
        x: "input weight of a complex pair",
        z: "its recurrent weight, a pair of eigenvalues z and its conjugate",
        y: "its readout weight",
        s_pair(k): "s^c_k, its task at lag k, complex",
    },
    shorthand={dx: "pair_rate_x", dy: "pair_rate_y", **geometric.SHORTHAND},
    formulas=FORMULAS,
    steps=STEPS,
    sources=(
        "Saxe, McClelland and Ganguli, arXiv:1312.6120, 2014 (aligned modes of two layers).",
        "Proca, Domine, Shanahan and Mediano, Learning dynamics in linear recurrent neural "
        "networks, ICML 2025, eqs 5-8 (aligned recurrent modes).",
        "Complex pairs, their phases and the geometric sums: this project.",
    ),
)
