"""What the tests of the report share: small weights, and first-layer readings of them."""

from __future__ import annotations

import numpy as np

from richlazy.report import contents, output, words
from richlazy.report import first_layer as report
from richlazy.sources import source as sources
from richlazy.sources.source import Source

CONTROLS = ["Gaussian", "entries shuffled", "degrees kept"]
WRITTEN = [
    "curve_alignment.csv",
    "curve_rank.csv",
    "report.json",
    "report.png",
    "report.svg",
    "starts.csv",
    "summary.md",
    "time_course.csv",
]


def sparse_weights(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) * (rng.random(shape) < 0.4)


def made(source, norm=1.0, advance=lambda _: None):
    return report.make(sources.rescaled(source, norm), source.norm, advance)


def alone(first):
    """The report that holds a first-layer reading and no other."""
    return contents.Report(first.source, None, first)


def summary(first):
    return words.summary([alone(first)])


def write(first, folder):
    return output.write([alone(first)], folder)


def of(values, norm=1.0):
    return made(Source("w", values), norm)
