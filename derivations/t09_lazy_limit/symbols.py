"""Symbols of T9."""

from __future__ import annotations

import sympy as sp

from derivations.t06_flat_low_rank.symbols import c, d, g, r, s, sigma

__all__ = ["NOTATION", "SHORTHAND"]

x, u, f, y, root, critical, angle = sp.symbols("x u f y A w_c phi", positive=True)
w, rich, lazy, part = sp.symbols("w D a rho", positive=True)

NOTATION = {
    sigma: "Frobenius norm of W1(0)",
    r: "rank of W1(0)",
    d: "number of inputs",
    c: "alignment: share of the squared task vector inside the row space of W1(0)",
    g: "length of the task vector beta",
    w: "a value of u, between 0 and 1, that runs along a curve",
    lazy: "u sqrt(d), kept while d -> oo",
    part: "r/d, kept while d -> oo",
    rich: "d sigma^2/g, kept while sigma -> 0",
}

SHORTHAND = {
    s: "start_singular_value",
    y: "squared_scale",
    x: "inverse_scale",
    u: "readout_share",
    f: "readout_share_full",
    root: "critical_root",
    critical: "critical_share",
    angle: "representation_peak_angle",
}
