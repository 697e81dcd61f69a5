"""
How aligned is aligned enough?
==============================

Weight change over rank and alignment together. The line is the exact boundary (T9): above it a
start of that rank moves less than one of full rank and the same norm.
"""

import numpy as np

import richlazy as rl

made = rl.curves.map(
    "rank", "alignment", inputs=100, alignments=np.linspace(0.02, 1.0, 50), ranks=range(1, 100)
)
figure = made.plot("weight_change")
for rank in (1, 5, 50):
    needed = rl.boundaries.alignment(rank, 100)
    print(f"rank {rank:2d}: moves less than full rank from c = {needed.weight_change:.2f} on")

# %%
# See that the line lies above r/100, the share that a start of rank r has of an average random
# task: that is the rule. And that it lies well below 1 at low rank: that is the exception.
