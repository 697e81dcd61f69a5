"""
2. Alignment and circuits
=========================

The rule of rank has an exception, alignment; and the matrix can be a measured circuit, as the first
layer of a network or as its recurrent weights.
"""

# %%
# A low rank that fits moves little
# ---------------------------------
#
# A start of rank 5 passes on 5 of 100 directions. If the task happens to lie in them, nothing has
# to be rebuilt. The *alignment* c is the share of the task that does: 0 for none of it, 1 for all
# of it, and 5/100 on average for random tasks.

import matplotlib.pyplot as plt
import numpy as np

import richlazy as rl

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
rank, norm = 5, 3.0
curve = rl.curves.alignment(rank=rank, inputs=100, norm=norm)
curve.plot(ax, measures="weight_change", label=f"rank {rank}")
full = rl.expect(rl.spectrum.flat(100, norm), inputs=100).weight_change.mean
ax.axhline(full, color="black", ls=":", label="full rank")
boundary = float(rl.boundaries.alignment(rank, 100, norm=norm).weight_change)
ax.axvline(boundary, color="grey", lw=0.8)
ax.legend()
print(f"rank {rank} moves its weights less than full rank does from alignment {boundary:.2f} on")

# %%
# **To remember:** low rank has to change for a task that it does not know, and hardly for one that
# it does.

# %%
# A connectome as first layer
# ---------------------------
#
# The nervous system of the worm *C. elegans* comes with the library: who makes how many synapses
# onto whom. Synapses have no unit, so that a norm has to be chosen; at norm 1 the worm is compared
# with a Gaussian matrix of the same size and norm.

worm = rl.connectomes.load("celegans").weights
random = np.random.default_rng(0).standard_normal(worm.shape)
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, weights in (("C. elegans", worm), ("Gaussian", random)):
    s = rl.spectrum.rescaled(rl.spectrum.of(weights), 1.0)
    ax.plot(np.arange(1, s.size + 1), s, label=name)
    found = rl.expect(weights, norm=1.0, method="law").kernel_alignment.mean
    ratio = rl.spectrum.effective_rank(weights)
    print(f"{name}: participation ratio {ratio:.0f} of {s.size}, KA {found:.2f}")
ax.set(xlabel="index", ylabel="singular value", yscale="log", ylim=(1e-4, 1))
ax.legend()

# %%
# **To remember:** a measured circuit has few strong directions, and so learns more richly than a
# random one.

# %%
# A connectome as recurrent network
# ---------------------------------
#
# The worm is no first layer: its neurons talk to each other. So let the same matrix act at every
# step, ``h = W h + U x``, and ask for an answer that remembers the last five inputs. The scale of a
# recurrent matrix has a meaning, which is how long an input is remembered: the *gain* ‖W‖/√N. And
# signs matter now, so the neurons that are known to inhibit do.

circuit = rl.connectomes.load("celegans")
inhibitory = set(rl.connectomes.inhibitory())
signed = worm * np.array([-1.0 if neuron in inhibitory else 1.0 for neuron in circuit.neurons])
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, weights in (("C. elegans", signed), ("Gaussian", random)):
    curve = rl.recurrent_curves.gain(weights, steps=5, gains=(0.3, 0.6, 0.9), tasks=6)
    curve.plot(ax, measures="kernel_alignment", label=name)
    found = zip(curve["kernel_alignment"], curve["kernel_alignment_standard_error"], strict=True)
    print(f"{name}: KA", ", ".join(f"{mean:.2f} ± {error:.2f}" for mean, error in found))

# %%
# Every point is the mean of a few random tasks, inputs and readouts, the same for both; the band is
# one standard deviation, and what is printed is the standard error. The worm is no longer the
# richer one: its strong loops keep activity alive, which no singular value tells. The gallery
# compares circuits with more care.
#
# **To remember:** for a recurrent network gain and loops come first: the longer activity lasts, the
# lazier the learning. Next: is any of this true?
