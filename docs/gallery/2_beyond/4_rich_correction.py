"""
How fast the rich limit is reached
==================================

As the norm goes to zero, a start of any spectrum ends at a kernel alignment in closed form. How far
is it from there, with and without the first correction? Here for the singular values of *C.
elegans* and a task that has its fair share in each direction.
"""

import matplotlib.pyplot as plt
import numpy as np

import richlazy as rl

s = rl.spectrum.of(rl.connectomes.load("celegans").weights)
shares = np.full(s.size, 1 / s.size)
curve = rl.boundary_curves.rich_correction(s, shares, s.size, norms=np.geomspace(0.03, 1.0, 12))

figure, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for column, label in (("limit", "rich limit"), ("corrected", "with its first correction")):
    off = np.abs(curve["kernel_alignment"] - curve[f"kernel_alignment_{column}"])
    slope = np.polyfit(np.log(curve.x[:5]), np.log(off[:5]), 1)[0]
    ax.loglog(curve.x, off, "o-", label=label)
    print(f"{label}: the distance goes like norm to the power {slope:.1f}")
ax.set(xlabel="norm of the start", ylabel="distance of KA")
ax.legend()

# %%
# See the two slopes: each correction buys more the smaller the start.
