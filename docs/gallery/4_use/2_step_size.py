"""
Theory and gradient descent
===========================

The theory is of gradient flow, steps that are infinitely small. Real steps are not: how much does
that matter? The same start and task by gradient descent with four learning rates, against the
closed form.
"""

import matplotlib.pyplot as plt
import numpy as np

import richlazy as rl

rng = np.random.default_rng(0)
task = rl.Task.random(50, 1, rng=rng)
start = rl.Network.from_spectrum(rl.spectrum.flat(5), task=task, hidden=20, alignment=0.3, rng=rng)
first, readout = start.first.toarray()[None], np.zeros((1, 1, 20))
largest = rl.descent.stable_step(first[0], readout[0], task.cov_yx)
print(f"steps above about {largest:.2f} may not settle")

rates, end = np.array([0.2, 0.1, 0.05, 0.025]), 4.0
exact = float(rl.solve(start, task).kernel_alignment(end))
off = []
for rate in rates:
    steps = round(end / rate)
    run = rl.descent.descend(
        first, readout, task.cov_yx[None], step=rate, steps=steps, record=[0, steps]
    )
    off.append(abs(run.measures.kernel_alignment[0, -1] - exact))
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.loglog(rates, off, "o-")
ax.set(xlabel="learning rate", ylabel=f"distance of KA from the theory at time {end:g}")
slope = np.polyfit(np.log(rates), np.log(off), 1)[0]
print(f"the distance goes like the learning rate to the power {slope:.2f}")

# %%
# See a straight line of slope 1: half the learning rate, half the distance.
