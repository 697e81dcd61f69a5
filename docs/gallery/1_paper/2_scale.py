"""
Large starts learn lazily
=========================

Both alignments and the weight change, relative to the norm of the start, against that norm, for
four ranks. At small norms they end in the rich limit (T8), at large ones in the lazy limit (T9),
which is 1 only for high ranks: the dotted lines.
"""

import matplotlib.pyplot as plt

import richlazy as rl

inputs = 100
measures = ("kernel_alignment", "representation_alignment")
figure, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
for rank in (1, 5, 30, 100):
    curve = rl.curves.scale(rank, inputs)
    for ax, measure in zip(axes[:2], measures, strict=True):
        curve.plot(ax, measures=measure, label=f"rank {rank}")
    axes[2].loglog(curve.x, curve["weight_change"] / curve.x)
    colour = axes[0].get_lines()[-1].get_color()
    rich = rl.limits.rich_limit_mean(rank, inputs)
    lazy, _ = rl.low_rank.lazy_limit(rank, rank / inputs)
    axes[0].plot([0.01, 0.05], [rich, rich], ":", color=colour)
    axes[0].plot([20, 100], [lazy, lazy], ":", color=colour)
    axes[2].get_lines()[-1].set_color(colour)
    print(f"rank {rank:3d}: KA from {rich:.2f} (rich limit) to {lazy:.2f} (lazy limit)")
axes[2].set(xlabel=axes[0].get_xlabel(), ylabel="weight change / norm of the start")

# %%
# See that scale alone makes no network of very low rank lazy: rank 1 stays rich at any norm, for
# random tasks.
