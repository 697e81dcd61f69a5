"""T19, second part: one mode on a task that decays geometrically, with no end of lags."""

from __future__ import annotations

import sympy as sp

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.frame.lag_sums import T

__all__ = ["FORMULAS", "NOTATION", "SHORTHAND", "STEPS", "a", "u", "v"]

u, v, a = sp.symbols("u v a", real=True)
task, decay, product = sp.symbols("s lambda p", real=True)
_crossed = 1 - decay * a

FORMULAS = {
    "strength": u * v,
    "geometric_loss_to_T": (
        task**2 * (1 - decay ** (2 * T)) / (1 - decay**2)
        - 2 * task * product * (1 - (decay * a) ** T) / _crossed
        + product**2 * (1 - a ** (2 * T)) / (1 - a**2)
    )
    / 2,
    "geometric_loss": (
        task**2 / (1 - decay**2)
        - 2 * task * product / _crossed
        + product**2 / (1 - a**2)
    )
    / 2,
    "geometric_rate_u": v * (task / _crossed - product / (1 - a**2)),
    "geometric_rate_v": u * (task / _crossed - product / (1 - a**2)),
    "geometric_rate_a": product
    * (task * decay / _crossed**2 - product * a / (1 - a**2) ** 2),
    "best_strength": task * (1 - a**2) / _crossed,
    "best_loss": task**2 * (decay - a) ** 2 / (2 * (1 - decay**2) * _crossed**2),
    "best_loss_slope": -(task**2) * (decay - a) / _crossed**3,
}  # fmt: skip

NOTATION = {
    u: "input weight of a mode",
    v: "its readout weight",
    a: "its recurrent weight (w in the aligned form)",
    task: "the task at lag 0: s_k = s lambda^k",
    decay: "decay of the task from lag to lag, |lambda| < 1",
}

SHORTHAND = {product: "strength"}


def _finite(closed, strength, geometric_loss_to_T):
    """No steps have no loss, one has that of the lag 0, and each step adds one more lag."""
    loss = closed(geometric_loss_to_T)
    more = geometric_loss_to_T.subs(T, T + 1) - geometric_loss_to_T
    return [
        loss.subs(T, 0),
        loss.subs(T, 1) - (task - v * u) ** 2 / 2,
        strength * a**T - v * a**T * u,
        more - (task * decay**T - product * a**T) ** 2 / 2,
    ]


def _endless(geometric_loss_to_T, geometric_loss):
    forgotten = {decay ** (2 * T): 0, a ** (2 * T): 0, (decay * a) ** T: 0}
    return geometric_loss_to_T.xreplace(forgotten) - geometric_loss


def _rates(closed, geometric_loss, geometric_rate_u, geometric_rate_v, geometric_rate_a):
    loss = closed(geometric_loss)
    rates = ((u, geometric_rate_u), (v, geometric_rate_v), (a, geometric_rate_a))
    return [closed(rate) + sp.diff(loss, x) for x, rate in rates]


def _best(geometric_loss, best_strength, best_loss, best_loss_slope):
    return [
        sp.diff(geometric_loss, product).subs(product, best_strength),
        geometric_loss.subs(product, best_strength) - best_loss,
        sp.diff(best_loss, a) - best_loss_slope,
    ]


STEPS = (
    Step(
        ("strength", "geometric_loss_to_T"),
        "s_k = s lambda^k, lags counted once: the loss of a mode is three geometric sums. Each "
        "step adds half the squared miss at its lag, for any T, and without steps there is none.",
        Zero(_finite),
    ),
    Step(
        ("geometric_loss",),
        "With no end of lags, |lambda| < 1 and |a| < 1, the powers of order T vanish.",
        Zero(_endless),
    ),
    Step(
        ("geometric_rate_u", "geometric_rate_v", "geometric_rate_a"),
        "The flow is minus the slope of the loss.",
        Zero(_rates),
    ),
    Step(
        ("best_strength", "best_loss", "best_loss_slope"),
        "The best product p = u v at a given recurrent weight, what loss it leaves, and the slope "
        "of that: it has the sign of a - lambda for all |a| < 1, so that nothing but a = lambda, "
        "p = s stops the mode except a silent one, and memory that is too short is made longer.",
        Zero(_best),
    ),
)
