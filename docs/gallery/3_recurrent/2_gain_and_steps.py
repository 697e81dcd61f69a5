"""
Gain and steps on one map
=========================

The two numbers that a recurrent reading has and a first layer has not: how strongly the circuit
acts on itself, and for how many steps the task asks it to remember.
"""

import numpy as np

import richlazy as rl

made = rl.curves.map(
    "gain", "steps", start=np.ones(60), units=60,
    gains=[0.2, 0.5, 0.8, 1.1], lengths=[1, 2, 3, 4], tasks=8,
)  # fmt: skip
figure = made.plot(["kernel_alignment", "weight_change_recurrent"])
figure.suptitle("full rank, 60 units, mean over random tasks")

# %%
# See that learning is lazy at the lower right: few steps, high gain. Over one step W is not used at
# all.
