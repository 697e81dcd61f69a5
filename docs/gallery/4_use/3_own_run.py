"""
A run of your own beside its theory
===================================

Record weights and activations while you train, on probes that the theory knows; then ask what the
theory says of the same initial weights. Here two layers learn two outputs by plain gradient
descent; with PyTorch or JAX the recording is one line (:doc:`Runs of your own </runs>`).
"""

import numpy as np

import richlazy as rl

rng, rate = np.random.default_rng(0), 0.02
task = rl.Task(rng.standard_normal((2, 20)) / 4)
w1, w2 = rng.standard_normal((30, 20)) / 8, rng.standard_normal((2, 30)) / 8

x = rl.runs.probes(task)
run = rl.runs.Run(learning_rate=rate)
for step in range(401):
    missed = task.cov_yx.T - x @ w1.T @ w2.T
    if step % 20 == 0:
        run.record(step, weights=[w1, w2], activations=x @ w1.T, loss=0.5 * np.sum(missed**2))
    w1, w2 = w1 + rate * w2.T @ missed.T @ x, w2 + rate * missed.T @ x @ w1.T

found = run.compare(task)
figure = found.plot()
print(run.verdict())
for name, value in found.worst.items():
    print(f"largest deviation of {name.replace('_', ' ')}: {value:.4f}")

# %%
# See the dots on the lines. ``figure.savefig("run.png")`` keeps the picture,
# ``run.save("run.npz")`` the run.
