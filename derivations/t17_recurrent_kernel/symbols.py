"""The small Gram matrices and kernel blocks of T17, now and at the start."""

from __future__ import annotations

from derivations.frame.lag_sums import Family, T, k, l
from derivations.t16_recurrent_flow.symbols import m, n

__all__ = ["K0", "LAGS", "Gc", "Gc0", "Go", "Go0", "K"]

Gc, Go, K = Family("G^c", n, n), Family("G^o", m, m), Family("K", m * n, m * n)
Gc0, Go0, K0 = Family("G^c0", n, n), Family("G^o0", m, m), Family("K^0", m * n, m * n)

LAGS = ((k, 0, T - 1), (l, 0, T - 1))
