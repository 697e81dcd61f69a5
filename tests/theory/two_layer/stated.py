"""What a solution states about its own errors, read as a user reads it."""

import re

import numpy as np

NUMBER = r"([\d.]+(?:e[+-]?\d+)?)"


def stated(accuracy):
    """(relative error, relative error of the loss, absolute error of small losses)."""
    told = re.findall(f"{NUMBER} relative", accuracy) + re.findall(f"below {NUMBER}", accuracy)
    loss = re.search(rf"loss (?:to )?{NUMBER}(?: of itself)?(?: or {NUMBER})?", accuracy)
    return max(map(float, told)), float(loss[1]), float(loss[2] or 0.0)


def worst(solution, times, exact):
    """Largest true error over the stated one, and which it is; 0/0 must be where it truly is."""
    found = solution.measures(times)
    relative, loss, floor = stated(solution.accuracy)
    most, which = 0.0, ""
    for name, values, wanted in zip(found._fields, found, exact, strict=True):
        assert np.array_equal(np.isnan(values), np.isnan(wanted)), name
        for value, want in zip(values, wanted, strict=True):
            if np.isnan(want) or value == want:
                continue
            allowed = max(loss * want, floor) if name == "loss" else relative * want
            ratio = abs(value - want) / max(allowed, 1e-300)
            if ratio > most:
                most, which = ratio, f"{name} {value!r} for {want!r}, stated {allowed:.1e}"
    return most, which
