"""Descent of networks that the library's own does not hold: deep, nonlinear, with minibatches."""
