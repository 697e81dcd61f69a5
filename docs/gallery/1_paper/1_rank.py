"""
Low rank learns richly
======================

Kernel alignment, representation alignment and weight change against the rank of the start, at three
norms, as means over random tasks. Lines are flat starts, in closed form; dots are Gaussian matrices
that are cut to their largest singular values, as in the paper, at norm 1.
"""

import matplotlib.pyplot as plt
import numpy as np

import richlazy as rl

inputs = 100
gaussian = rl.spectrum.gaussian(inputs, inputs)
ranks = np.array([1, 2, 5, 10, 20, 50, 100])
cut = [rl.expect(gaussian[:r], inputs=inputs, norm=1.0, tasks=50) for r in ranks]

measures = ("kernel_alignment", "representation_alignment", "weight_change")
figure, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
for ax, measure in zip(axes, measures, strict=True):
    for norm in (0.3, 1.0, 3.0):
        curve = rl.curves.rank(inputs, norm=norm)
        curve.plot(ax, measures=measure, label=f"norm {norm:g}")
    means = [getattr(found, measure).mean for found in cut]
    ax.plot(ranks, means, "k.", label="cut Gaussian")
    ax.set_xscale("log")
    ax.legend()

# %%
# See how the weight change falls with rank and the kernel alignment rises over the whole range. It
# need not rise at every step, and RA peaks on the way: :doc:`where the rule has limits </beyond>`.
# The dots leave their line at high rank, where a cut Gaussian matrix has a participation ratio well
# below its rank.
