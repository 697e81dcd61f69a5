"""Descent that the library's own does not hold.

`deep` networks, linear `recurrent` ones, nonlinear `networks`, `minibatch` descent, and the few
directions of a flat start that move (`thin`).
"""
