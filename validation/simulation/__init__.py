"""Descent that the library's own does not hold.

`deep` and `recurrent` linear networks, nonlinear `networks`, `minibatch` descent, and the few directions of a flat start
that move (`thin`).
"""
