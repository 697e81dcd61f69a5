"""
Recurrent networks: the spectrum enters by its participation ratio
==================================================================

Recurrent weights of the same gain and three kinds of spectra, over random tasks of four steps. Each
point is one deterministic network that every large start of that spectrum learns like (T20).
"""

import matplotlib.pyplot as plt
import numpy as np

import richlazy as rl

units, gain = 200, 0.6
norm = gain * units**0.5
families = {
    "flat": [rl.spectrum.flat(r, norm) for r in (30, 60, 120, 200)],
    "power law": [rl.spectrum.power_law(units, a, norm) for a in (0.45, 0.35, 0.2)],
    "exponential": [rl.spectrum.exponential(units, a, norm) for a in (0.03, 0.015, 0.007)],
}
measures = ("kernel_alignment", "representation_alignment", "weight_change_recurrent")
flat = {}
figure, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
for marker, (family, spectra) in zip("os^", families.items(), strict=True):
    found = [rl.recurrent.expect(s, 4, units=units, strength=3.0, tasks=16) for s in spectra]
    ratios = [rl.spectrum.effective_rank(s) for s in spectra]
    for ax, measure in zip(axes, measures, strict=True):
        means = [getattr(each, measure).mean for each in found]
        ax.plot(ratios, means, marker + "-", label=family)
        if family == "flat":
            flat[measure] = (ratios, means)
    off = np.interp(ratios, *flat["kernel_alignment"])
    off -= [each.kernel_alignment.mean for each in found]
    print(f"{family}: KA at most {np.abs(off).max():.3f} from that of the flat starts")
for ax, measure in zip(axes, measures, strict=True):
    ax.set(xlabel="participation ratio of W", ylabel=measure.replace("_", " "))
axes[0].legend()

# %%
# See that the three families fall nearly on one line in each panel (the axes do not start at zero):
# kernel and representation turn more at a low participation ratio, and the recurrent weights move
# less. The curve from rank 1 on is on the page :doc:`Recurrent networks </recurrent>`.
