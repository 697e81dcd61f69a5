"""Closed forms of plain numbers, elementwise over arrays: one statement a file."""
