"""
Eight brains from newborn to adult
==================================

The brains of eight isogenic worms, from birth to adulthood, each read in two ways: as first layer
at norm 1, and as recurrent network at one gain over five steps. Neurons that are known to inhibit
do so.
"""

import matplotlib.pyplot as plt
import numpy as np

import richlazy as rl

inhibitory = set(rl.connectomes.inhibitory())
colours = {"L1": "C0", "L2": "C1", "L3": "C2", "adult": "C3"}
labels = ("participation ratio / neurons", "mean KA, first layer", "mean KA, recurrent")
figure, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
for stage, colour in colours.items():
    found = []
    for name in rl.connectomes.names(stage):
        brain = rl.connectomes.load(name)
        if not name.startswith("celegans_brain"):
            continue
        units = len(brain.neurons)
        signs = np.array([-1.0 if neuron in inhibitory else 1.0 for neuron in brain.neurons])
        weights = brain.weights * signs  # of a column, what one neuron sends
        ratio = rl.spectrum.effective_rank(weights) / units
        layer = rl.expect(weights, norm=1.0, method="typical").kernel_alignment.mean
        w = 0.625 * units**0.5 * weights / np.linalg.norm(weights)
        loop = rl.recurrent.expect(w, steps=5, tasks=8).kernel_alignment.mean
        found.append((brain.weights.sum(), ratio, layer, loop))
    synapses, *values = np.transpose(found)
    for ax, value, label in zip(axes, values, labels, strict=True):
        ax.plot(synapses, value, "o", color=colour, label=stage)
        ax.set(xlabel="synapses", ylabel=label)
    means = [f"{value.mean():.2f}" for value in values[1:]]
    print(f"{stage}: mean KA {means[0]} as first layer, {means[1]} as recurrent network")
axes[0].legend()

# %%
# See that learning as a first layer grows a little richer with the brain, as its participation
# ratio says, and learning as a recurrent network does not. :doc:`A study </development>` holds all
# eight against controls, and tests it.
