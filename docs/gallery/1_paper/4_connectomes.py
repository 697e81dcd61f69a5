"""
Connectomes against shuffles, as first layers
=============================================

Measured connectomes as first layer at norm 1, beside three controls: partners exchanged with every
neuron's number of inputs and outputs kept, all weights in random places, and a Gaussian matrix.
"""

import matplotlib.pyplot as plt

import richlazy as rl
from richlazy.sources import controls

names = ("celegans", "mushroom_body_left", "mushroom_body_right")
makers = {
    "connectome": lambda weights, rng: weights,
    "degrees kept": controls.degree_preserving,
    "shuffled": controls.shuffled,
    "Gaussian": controls.gaussian,
}
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for marker, name in zip("osD", names, strict=True):
    weights = rl.connectomes.load(name).weights
    found = []
    for make in makers.values():
        start = make(weights, 0)
        mean = rl.expect(start, norm=1.0, method="typical").kernel_alignment.mean
        found.append((rl.spectrum.effective_rank(start), mean))
    ax.plot(range(len(makers)), [mean for _, mean in found], marker, label=name, alpha=0.8)
    ratios = ", ".join(f"{ratio:.0f}" for ratio, _ in found)
    print(f"{name}: participation ratios {ratios}")
ax.set_xticks(range(len(makers)), makers)
ax.set(ylabel="mean kernel alignment", ylim=(0, 1))
ax.legend()

# %%
# See that a connectome learns more richly than each of its controls, and that the one that keeps
# the degrees comes closest: most of the low participation ratio is in how unequal the neurons are.
