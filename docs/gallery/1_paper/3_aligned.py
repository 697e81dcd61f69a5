"""
Aligned low rank is lazy
========================

The exception to the rule. A start of low rank whose few directions hold the task need not find it,
and moves less than a start of full rank; the share of the task that they hold is the alignment c.
"""

import matplotlib.pyplot as plt

import richlazy as rl

inputs, norm = 100, 2.0
figure, axes = plt.subplots(1, 2, figsize=(8, 3.3), layout="constrained")
for alignment, label in ((None, "random tasks"), (0.5, "c = 0.5"), (1.0, "c = 1, aligned")):
    curve = rl.curves.rank(inputs, norm=norm, alignment=alignment)
    for ax, measure in zip(axes, ("kernel_alignment", "weight_change"), strict=True):
        curve.plot(ax, measures=measure, label=label)
        ax.set_xscale("log")

# %%
# See the weight change: for aligned tasks it is least at rank 1, for random ones at full rank.
