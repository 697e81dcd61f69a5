"""Laziness of recurrent starts over random tasks, inputs and readouts (T20)."""
