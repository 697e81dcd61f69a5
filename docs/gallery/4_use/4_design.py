"""
Design a start for a wanted kernel alignment
============================================

The closed forms can be turned round. Which participation ratio gives a mean kernel alignment of one
half? Which norm does, at a given participation ratio? Both are roots of a function of one number,
and take real ranks.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq

import richlazy as rl

inputs, wanted = 100, 0.5


def alignment(ratio, norm):
    """Mean KA of starts of this participation ratio and norm."""
    return float(rl.limits.law(ratio, inputs, norm=norm).mean.kernel_alignment)


ratio = brentq(lambda r: alignment(r, 1.0) - wanted, 2, inputs)
norm = brentq(lambda n: alignment(10.0, n) - wanted, 0.1, 30.0)
print(f"at norm 1: participation ratio {ratio:.2f}; at participation ratio 10: norm {norm:.3f}")

# %%
# A spectrum of that participation ratio: a power law with the exponent that gives it.


def power_law(exponent):
    """A power law of norm 1."""
    return rl.spectrum.power_law(inputs, exponent, norm=1.0)


exponent = brentq(lambda a: rl.spectrum.effective_rank(power_law(a)) - ratio, 0.0, 2.0)
found = rl.expect(power_law(exponent), inputs=inputs).kernel_alignment
print(f"exponent {exponent:.3f}: mean KA {found.mean:.3f} ± {found.standard_error:.3f}")

# %%
# And the whole line of designs, in the plane of participation ratio and norm:

most = brentq(lambda r: float(rl.limits.rich_limit_mean(r, inputs)) - wanted, 1, inputs)
ratios = np.linspace(5, 0.99 * most, 40)
norms = [brentq(lambda n, r=r: alignment(r, n) - wanted, 1e-3, 100.0) for r in ratios]
print(f"above participation ratio {most:.1f} every norm is lazier than that")
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(ratios, norms, label=f"KA = {wanted}")
ax.plot(ratio, 1.0, "o", label="the power law above")
ax.set(xlabel="participation ratio", ylabel="norm")
ax.legend()

# %%
# See that both roots lie on the same line, and that to the right of its top scale makes up for what
# is missing in rank.
