"""
3. Theory and training
======================

The numbers so far came from formulas. Here they are held against gradient descent, first in ten
lines of NumPy, then as a run that is recorded as you would record your own.
"""

# %%
# Ten lines of gradient descent
# -----------------------------
#
# A start of rank 3 learns a task of 30 inputs, once by small steps and once by the closed form.

import matplotlib.pyplot as plt
import numpy as np

import richlazy as rl

rng = np.random.default_rng(0)
task = rl.Task.random(30, 1, rng=rng)
start = rl.Network.from_spectrum(rl.spectrum.flat(3), task=task, hidden=20, alignment=0.4, rng=rng)

rate, steps = 0.01, 2000
w1, w2 = start.first.toarray(), np.zeros((1, 20))
kernel0 = w1.T @ w1
times, measured = [], []
for step in range(steps + 1):
    if step % 50 == 0:
        kernel = w1.T @ w1 + (w2 @ w2.T) * np.eye(30)
        cosine = np.sum(kernel0 * kernel) / np.linalg.norm(kernel0) / np.linalg.norm(kernel)
        times.append(rate * step)
        measured.append(cosine)
    error = task.cov_yx - w2 @ w1
    w1, w2 = w1 + rate * w2.T @ error, w2 + rate * error @ w1.T

solution = rl.solve(start, task)
predicted = solution.kernel_alignment(times)
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(times, predicted, label=solution.method)
ax.plot(times, measured, "o", ms=4, label="gradient descent")
ax.set(xlabel="time (learning rate x steps)", ylabel="kernel alignment", ylim=(0, 1.05))
ax.legend()
print(f"largest difference of KA: {np.abs(predicted - measured).max():.4f}")

# %%
# The steps are small but not infinitely so: half the rate gives half the difference.
# ``rl.descent.descend`` is the same loop for many networks at once.
#
# **To remember:** the theory is that of gradient descent with small steps, and agrees with it.

# %%
# A run of your own
# -----------------
#
# You need not know the theory's formulas, or be linear, to measure how lazy your training was.
# Record weights and activations as it goes. With PyTorch and JAX the kernel is recorded too
# (``richlazy.runs.torch.track``); with arrays it goes like this, here for a network with a
# rectifier.

x = rng.standard_normal((200, 30))
y = x @ task.cov_yx.T
w1, w2 = 0.5 * rng.standard_normal((50, 30)) / 30**0.5, np.zeros((1, 50))
run = rl.runs.Run(learning_rate=0.05)
for step in range(401):
    hidden = np.maximum(x @ w1.T, 0.0)
    missed = y - hidden @ w2.T
    if step % 20 == 0:
        loss = 0.5 * np.mean(missed**2)
        run.record(step, weights=[w1, w2], activations=hidden, loss=loss)
    back = (missed @ w2) * (hidden > 0)
    w1, w2 = w1 + 0.05 * back.T @ x / 200, w2 + 0.05 * missed.T @ hidden / 200

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(run["time"], run["loss"] / run["loss"][0], label="loss, of its start")
ax.plot(run["time"], run["representation_alignment"], label="representation alignment")
ax.set(xlabel="time (learning rate x steps)", ylim=(0, 1.05))
ax.legend()
print(run.verdict())

# %%
# **To remember:** the measures are for any network; only the predictions are for linear ones.

# %%
# Where to go from here
# ---------------------
#
# * :doc:`Which regime am I in? </regime>` goes from what you know of your network to rich or
#   lazy.
# * :doc:`The gallery </learn/gallery/index>` has a picture and its code for every result.
# * :doc:`Runs of your own </runs>` says how a run is held against the theory.
# * :doc:`Beyond the papers </beyond>` has the surprises, and :doc:`Conventions </conventions>`
#   every symbol.
