"""T5 against SciPy's DOP853, against the least that it takes, and its growth with the inputs."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

__all__ = ["many_times", "one_point", "one_time", "scaling", "stack"]

Row = tuple[str, float, float | None, str]

_SIZES = (8, 64, 256)
_REPEATS = {8: (200, 20), 64: (40, 8), 256: (6, 3)}  # of the closed form, of DOP853


def _network(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat start of singular value 0.7 with a silent readout, and task strengths in 0.3 to 2."""
    rng = np.random.default_rng(0)
    turn = [np.linalg.qr(rng.standard_normal((size, size)))[0] for _ in range(3)]
    return 0.7 * turn[0], (turn[1] * rng.uniform(0.3, 2.0, size)) @ turn[2]


def _integrated(first: np.ndarray, cov: np.ndarray, times: np.ndarray | None) -> np.ndarray:
    """Weights (times, 2, n, n) by DOP853, rtol 1e-8, atol 1e-10; at t = 10 alone without times."""
    from scipy.integrate import solve_ivp

    n = len(first)

    def slope(_: float, y: np.ndarray) -> np.ndarray:
        w1, w2 = y.reshape(2, n, n)
        error = cov - w2 @ w1
        return np.concatenate([(w2.T @ error).ravel(), (error @ w1.T).ravel()])

    start = np.concatenate([first.ravel(), np.zeros(n * n)])
    run = solve_ivp(slope, (0.0, 10.0), start, method="DOP853", rtol=1e-8, atol=1e-10, t_eval=times)
    weights = run.y[:, -1:] if times is None else run.y
    return np.asarray(weights.T.reshape(-1, 2, n, n))


def _alternating(ours: Callable[[], object], theirs: Callable[[], object], size: int) -> float:
    """Shortest time of ours over shortest time of theirs, taken in turns."""
    spent: tuple[list[float], list[float]] = ([], [])
    few = _REPEATS[size]
    for _ in range(few[1]):
        for call, repeats, into in ((ours, few[0] // few[1], 0), (theirs, 1, 1)):
            for _ in range(repeats):
                begin = time.perf_counter()
                call()
                spent[into].append(time.perf_counter() - begin)
    return min(spent[0]) / min(spent[1])


def _measures(first: np.ndarray, cov: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Alignments and loss from weights (times, 2, n, n), some times at once."""
    from richlazy.laziness import Traces, from_traces

    def square(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("tij,tij->t", x, x))

    size, parts = len(first), []
    for chunk in np.array_split(weights, max(1, weights.size // 1_000_000)):
        w1, w2 = chunk[:, 0], chunk[:, 1]
        gram1, gram2 = w1 @ w1.mT, w2 @ w2.mT
        zero = np.zeros(1)
        traces = Traces(
            r0_rt=square(w1 @ first.T), r0_r0=square((first @ first.T)[None]), rt_rt=square(gram1),
            r0=np.sum(first**2), rt=np.trace(gram1, axis1=1, axis2=2),
            b0_bt=zero, b0_b0=zero, bt_bt=square(gram2),
            b0=zero, bt=np.trace(gram2, axis1=1, axis2=2),
            along=zero,  # the target alignment is not asked of either
        )  # fmt: skip
        ra, ka, _ = from_traces(traces, size, size)
        parts.append((ra, ka, 0.5 * square(cov - w2 @ w1)))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def one_time() -> list[Row]:
    """Q Q' at t = 10."""
    from richlazy.two_layer.riccati import Balanced

    rows: list[Row] = []
    for size in _SIZES:
        first, cov = _network(size)

        def exact(first: np.ndarray = first, cov: np.ndarray = cov) -> np.ndarray:
            balanced = Balanced(first, np.zeros_like(first), cov)
            return balanced.second_moment(np.array([10.0]))[0]

        def integrated(first: np.ndarray = first, cov: np.ndarray = cov) -> np.ndarray:
            w1, w2 = _integrated(first, cov, None)[0]
            q = np.concatenate([w1.T, w2])
            return q @ q.T

        gap = np.linalg.norm(exact() - integrated()) / np.linalg.norm(integrated())
        rows += [
            (f"n = {size}: T5 / DOP853, time", _alternating(exact, integrated, size), 1 / 15, "x"),
            (f"n = {size}: distance of DOP853 from T5", float(gap), 1e-7, "relative"),
        ]
    return rows


def _turned(size: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W1, W2 and task of a lambda-balanced network that shares no modes with its task."""
    rng = np.random.default_rng(seed)
    units, outs, ins = (np.linalg.qr(rng.standard_normal((size, size)))[0] for _ in range(3))
    sizes = rng.uniform(0.3, 2.0, size)
    readout = (outs * np.sqrt(sizes**2 + 0.7)) @ units.T
    return (units * sizes) @ ins.T, readout, rng.standard_normal((size, size)) / np.sqrt(size)


def _floor(first: np.ndarray, readout: np.ndarray, cov: np.ndarray) -> None:
    """One SVD of the task and one QR of the weights: the least that T5 can take."""
    np.linalg.svd(cov)
    np.linalg.qr(np.concatenate([first.mT, readout], axis=-2))


def one_point() -> list[Row]:
    """From arrays to KA at t = 10, route and all, over one SVD and one QR."""
    from richlazy import Network, Task, solve

    rows: list[Row] = []
    for size, limit in zip(_SIZES, (20.0, 4.0, 4.0), strict=True):
        net = _turned(size, 0)

        def ours(net: tuple[np.ndarray, ...] = net) -> object:
            return solve(Network(*net[:2]), Task(net[2])).kernel_alignment(10.0)

        def least(net: tuple[np.ndarray, ...] = net) -> object:
            return _floor(*net)

        rows.append((f"n = {size}: KA / (SVD + QR)", _alternating(ours, least, size), limit, "x"))
    return rows


def stack() -> list[Row]:
    """KA at t = 10 of 1000 networks at once, over their SVDs and QRs in one call each."""
    from richlazy import stacks

    nets = [np.stack(x) for x in zip(*(_turned(8, seed) for seed in range(1000)), strict=True)]
    ratio = _alternating(lambda: stacks.alignments(*nets, 10.0), lambda: _floor(*nets), 64)
    return [("1000 networks of n = 8: KA / (SVD + QR)", ratio, 2.5, "x")]


def many_times() -> list[Row]:
    """Loss, RA and KA at 1000 times in [0, 10]."""
    from richlazy import Network, Task, solve

    times = np.linspace(0.0, 10.0, 1000)
    rows: list[Row] = []
    for size in _SIZES:
        first, cov = _network(size)

        def exact(first: np.ndarray = first, cov: np.ndarray = cov) -> tuple[np.ndarray, ...]:
            solution = solve(Network(first), Task(cov), "riccati")
            return (
                solution.representation_alignment(times),
                solution.kernel_alignment(times),
                solution.loss(times),
            )

        def measured(first: np.ndarray = first, cov: np.ndarray = cov) -> tuple[np.ndarray, ...]:
            return _measures(first, cov, _integrated(first, cov, times))

        gap = max(
            float(np.max(np.abs(a - b)) / np.max(b))
            for a, b in zip(exact(), measured(), strict=True)
        )
        rows += [
            (f"n = {size}: T5 / DOP853, time", _alternating(exact, measured, size), 0.1, "x"),
            (f"n = {size}: distance of DOP853 from T5", gap, 1e-6, "relative"),
        ]
    return rows


def scaling() -> list[Row]:
    """Every measure at t = infinity: rank 20, 5 outputs, 1e3 to 1e6 inputs, thin factors."""
    from richlazy import Network, Task, solve

    sizes, spent = (1_000, 10_000, 100_000, 1_000_000), []
    for size in sizes:
        rng = np.random.default_rng(0)
        left, right = (np.linalg.qr(rng.standard_normal((k, 20)))[0] for k in (50, size))
        task = Task(np.diag([1.0, 0.8, 0.6, 0.4, 0.2]) @ rng.standard_normal((5, size)))
        best = np.inf
        for _ in range(3):
            start = Network.from_factors(0.3 * left, right)
            fresh = Task(task.cov_yx)
            begin = time.perf_counter()
            solve(start, fresh).measures(np.inf)
            best = min(best, time.perf_counter() - begin)
        spent.append(best)
    slopes = np.diff(np.log(spent)) / np.diff(np.log(sizes))
    fitted = float(np.polyfit(np.log(sizes), np.log(spent), 1)[0])
    return [
        ("1e6 inputs, rank 20, 5 outputs, t = infinity", spent[-1], None, "s"),
        ("exponent of its time in the inputs, fitted 1e3 to 1e6", fitted, 1.1, ""),
        ("the same, 1e5 to 1e6 alone", float(slopes[-1]), None, ""),
    ]
