"""
Where full rank is not the laziest
==================================

Two outputs, one twenty times as strong as the other. At full rank the strong one is learned richly
while the weak one is learned lazily; a lower rank has larger singular values and learns both
lazily.
"""

import matplotlib.pyplot as plt
import numpy as np

import richlazy as rl

inputs, strengths = 150, [1.0, 0.05]
window = rl.laziest.window(inputs, strengths=strengths)
low, high = window.lowest_norm, window.highest_norm
print(f"a lower rank is the laziest for norms from {low:.2f} to {high:.2f}")

ranks = np.arange(2, inputs + 1)
figure, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for norm in (5.0, 7.5, 13.0):
    found = rl.several_outputs.expected(ranks, inputs, strengths=strengths, norm=norm)
    ax.plot(ranks, found.mean.kernel_alignment, label=f"norm {norm:g}")
    best = rl.laziest.rank(inputs, strengths=strengths, norm=norm)
    ax.plot(best.rank, best.kernel_alignment, "k.")
ax.set(xlabel="rank", ylabel="mean kernel alignment", ylim=(0.7, 1.0))
ax.legend()

# %%
# See the dots, the laziest ranks: at the norm inside the window it is far below the full rank.
