"""
More rank, richer learning
==========================

The rule of rank does not hold step by step. In a window of scales the mean kernel alignment falls
with the rank over a stretch of ranks, whose ends are known in closed form.
"""

import matplotlib.pyplot as plt

import richlazy as rl

inputs = 300
window = rl.boundaries.kernel_window(inputs)
print(
    f"{inputs} inputs: KA falls somewhere for norm^2/strength from {window.lowest:.2f} to", end=" "
)
print(f"{window.highest:.0f}")

figure, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for norm in (1.0, 3.0, 8.0):
    curve = rl.curves.rank(inputs, norm=norm)
    ax.plot(curve["rank"], curve["kernel_alignment"], label=f"norm {norm:g}")
    turns = rl.boundaries.turning_ranks(inputs, norm=norm).kernel_alignment
    if turns:
        at = rl.low_rank.expected(turns, inputs, norm=norm).mean.kernel_alignment
        ax.plot(turns, at, "k.")
ax.set(xscale="log", xlabel="rank", ylabel="mean kernel alignment")
ax.legend()

# %%
# See the dip between the dots. At the end of training the full rank is still the laziest, at every
# norm.
