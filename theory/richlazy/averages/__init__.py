"""Laziness over random tasks: exact, by law, of the typical task, or sampled."""
