"""
1. Rich and lazy
================

A network that learns can do so in two ways. It can keep what its first layer computes and only fit
a readout to it: that is *lazy*. Or it can rebuild its first layer to suit the task: that is *rich*.
Which it will be is decided before training, by the weights that it starts from.
"""

# %%
# One picture
# -----------
#
# Here are two networks ``f(x) = W2 W1 x`` with 12 inputs, 12 hidden units, one output and a readout
# ``W2`` that is zero at the start. Both have a first layer of the same norm, and both learn the
# same task by gradient descent until they have solved it. One starts at rank 1, the other at rank
# 12.

import matplotlib.pyplot as plt
import numpy as np

import richlazy as rl

rng = np.random.default_rng(1)
task = rl.Task.random(12, 1, rng=rng)
figure, axes = plt.subplots(2, 4, figsize=(8.5, 4.5), layout="constrained")
for row, rank in zip(axes, (1, 12), strict=True):
    start = rl.Network.from_spectrum(rl.spectrum.flat(rank), task=task, hidden=12, rng=rng)
    solution = rl.solve(start, task)
    pictures = [start.first.toarray(), solution.at(np.inf).first()]
    for t in (0.0, np.inf):  # with one output the tangent kernel is R + B, B a number
        kernel = solution.representation(t) + solution.readout(t) * np.eye(12)
        pictures.append(kernel / np.linalg.norm(kernel))  # its direction is what counts
    titles = ("$W_1$ before", "$W_1$ after", "kernel before", "kernel after")
    for ax, picture, title in zip(row, pictures, titles, strict=True):
        ax.imshow(picture, cmap="RdBu_r", vmin=-0.5, vmax=0.5)
        ax.set(title=title, xticks=[], yticks=[])
    row[0].set_ylabel(f"rank {rank}")
    print(f"rank {rank:2d}: kernel alignment {solution.kernel_alignment(np.inf):.2f}")

# %%
# The *tangent kernel* says how a step of learning on one input changes the answer to another.
# *Kernel alignment*, KA, is the cosine between the kernel before and after: 1 if its direction is
# kept (lazy), near 0 if nothing of it is left (rich). The kernel may grow, which is a faster
# clock and no other way of learning, so it is drawn here at norm 1. The weights themselves move in
# both networks: at this norm they have to.
#
# **To remember:** lazy means that the kernel keeps its direction, rich that it turns.

# %%
# A flat start
# ------------
#
# The simplest start has ``rank`` equal singular values, and for it everything is known in closed
# form: at any time, for any rank, norm and task. Time is the learning rate times the number of
# steps. Here is a network of 100 inputs that starts at rank 5; the band is one standard deviation
# from one random task to another.

flat = rl.spectrum.flat(rank=5, norm=1.0)
expected = rl.expect(flat, inputs=100)
curve = rl.curves.time(rank=5, inputs=100)
figure = curve.plot(measures=["loss", "kernel_alignment", "weight_change"])
print(
    f"rank 5 of 100: mean KA at the end {expected.kernel_alignment.mean:.3f}, by {expected.method}"
)

# %%
# **To remember:** the kernel turns while the loss falls, and then rests.

# %%
# The rule of rank
# ----------------
#
# Now keep the norm and change the rank. A higher rank spreads the same norm over more directions,
# so more of a random task lies within what the first layer already passes on, and less has to be
# rebuilt; what the readout learns adds the same to every direction of the kernel, and so turns a
# kernel little that is already spread over all of them.

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for norm in (0.5, 1.0, 4.0):
    rl.curves.rank(inputs=100, norm=norm).plot(
        ax, measures="kernel_alignment", label=f"norm {norm:g}"
    )
low, full = (rl.expect(rl.spectrum.flat(r), inputs=100).kernel_alignment.mean for r in (1, 100))
print(f"norm 1: KA {low:.2f} at rank 1, {full:.2f} at rank 100")

# %%
# At the largest norm the line begins lower, since a single direction has to turn to the task, and
# bends on its way: more rank is not always lazier ("Which regime am I in?" has the window).
#
# **To remember:** low rank learns richly, high rank lazily. That is said of the kernel; the
# representation alone (RA) can turn more at full rank, where every direction starts weak.

# %%
# Spectra that are not flat
# -------------------------
#
# Real matrices have singular values of all sizes. What counts then is their *participation ratio*,
# the number of directions that share the norm. It need not be whole. To leading order a start
# learns like a flat one whose rank is its participation ratio.

x, y = [], []
for exponent in (0.0, 0.25, 0.5, 0.75, 1.0, 1.5):
    s = rl.spectrum.power_law(100, exponent)
    x.append(rl.spectrum.effective_rank(s))
    y.append(rl.expect(s, inputs=100).kernel_alignment.mean)
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
flat = rl.curves.rank(inputs=100)
ax.plot(flat["rank"], flat["kernel_alignment"], label="flat starts")
ax.plot(x, y, "o", label="power laws")
ax.set(xlabel="participation ratio", ylabel="mean kernel alignment", xscale="log")
ax.legend()
off = np.abs(np.interp(x, flat["rank"], flat["kernel_alignment"]) - y).max()
print(f"largest distance from the line: {off:.3f}")

# %%
# **To remember:** count directions by the participation ratio, not by the rank. Next: when a low
# rank is lazy after all, and what a brain is.
