"""
The rank at which a recurrent network moves least
=================================================

In two layers the weight change falls with rank. Recurrent weights turn: they move least at a rank
of a few, and more above it. The turn moves up with the number of steps that the task remembers.
"""

import matplotlib.pyplot as plt
import numpy as np

import richlazy as rl

figure, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for steps in (3, 4):
    found = rl.recurrent.turn(200, steps, gain=0.7, tasks=4)
    (line,) = ax.plot(found.ranks, found.weight_change, label=f"{steps} steps")
    change = np.interp(found.least, found.ranks, found.weight_change)
    ax.plot(found.least, change, "o", color=line.get_color())
    print(f"{steps} steps: least change of W at rank {found.least}")
ax.set(xscale="log", xlabel="rank of W", ylabel="mean change of W", ylim=(0, None))
ax.legend()

# %%
# See the dots. Sampled networks beside such a curve, and why it turns, are on the page :doc:`Beyond
# the papers </beyond>`.
