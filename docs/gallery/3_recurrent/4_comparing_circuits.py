"""
Comparing circuits in pairs
===========================

One task is harder than another, so circuits are best compared on the same ones: each dot is the
difference between a control and the brain of an adult worm, over the same two tasks, inputs and
readouts.
"""

import matplotlib.pyplot as plt
import numpy as np

import richlazy as rl
from richlazy.sources import controls

brain = rl.connectomes.load("celegans_brain_8")
inhibitory = set(rl.connectomes.inhibitory())
signs = np.array([-1.0 if neuron in inhibitory else 1.0 for neuron in brain.neurons])
weights, units, draws = brain.weights * signs, len(brain.neurons), 8
makers = {
    "degrees kept": controls.degree_preserving,
    "singular values kept": controls.same_singular_values,
    "Gaussian": controls.gaussian,
}


def alignments(weights):
    """KA of one circuit at gain 0.625, mean of two tasks for each seed."""
    w = 0.625 * units**0.5 * weights / np.linalg.norm(weights)
    draw = (rl.recurrent.expect(w, steps=5, tasks=2, rng=seed) for seed in range(draws))
    return np.array([found.kernel_alignment.mean for found in draw])


mine = alignments(weights)
figure, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for place, (name, make) in enumerate(makers.items()):
    differences = alignments(make(weights, 0)) - mine
    ax.plot(np.full(draws, place), differences, "o", alpha=0.6, label=name)
    error = differences.std(ddof=1) / draws**0.5
    print(f"{name}: KA differs by {differences.mean():+.2f} ± {error:.2f} (standard error)")
ax.axhline(0.0, color="black", lw=0.8)
ax.set_xticks(range(len(makers)), makers)
ax.set(ylabel="KA of the control less that of the brain", xlim=(-0.5, 2.5))

# %%
# See that the brain is lazier than all three, also than the one of its own singular values: its
# strong loops make activity last. One control is one draw of chance; ``richlazy report
# celegans_brain_8`` takes many.
