"""
Low rank ends better aligned with its target
============================================

How much of the tangent kernel points at the task, before and after training. A random start of low
rank knows less of a random task than one of high rank, and in the end its kernel points at it more:
the order is turned round, at every norm (T21).
"""

import matplotlib.pyplot as plt

import richlazy as rl

inputs = 100
figure, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for norm in (0.3, 1.0, 3.0):
    curve = rl.curves.rank(inputs, norm=norm)
    ax.plot(curve["rank"], curve["target_alignment"], label=f"after training, norm {norm:g}")
before = rl.curves.rank(inputs, t=0)
ax.plot(before["rank"], before["target_alignment"], "k:", label="before, any norm")
ax.set(xscale="log", xlabel="rank", ylabel="mean target alignment", ylim=(0, 1))
ax.legend()

# %%
# See that the lines after training fall, and the one before rises.
