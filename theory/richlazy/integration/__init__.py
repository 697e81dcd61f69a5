"""Machinery of integration in time that no architecture owns: steps, interpolation, path length."""
