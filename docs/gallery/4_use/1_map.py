"""
A map with your own start on it
===============================

Mean kernel alignment of flat starts over rank and scale, with a point for a matrix of yours at its
participation ratio and norm. The lines are where the alignment turns with the rank.
"""

import numpy as np

import richlazy as rl

yours = np.random.default_rng(0).standard_normal((60, 100)) * 0.03
place = (rl.spectrum.effective_rank(yours), float(np.linalg.norm(yours)))

made = rl.curves.map("rank", "scale", inputs=100, norms=np.geomspace(0.1, 30, 61))
figure = made.plot("kernel_alignment", points={"yours": place})
found = rl.expect(yours).kernel_alignment.mean
print(f"participation ratio {place[0]:.0f}, norm {place[1]:.2f}: mean KA {found:.2f}")

# %%
# See that one gets from rich to lazy both to the right and upwards.
