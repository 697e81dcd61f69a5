"""The report on one start beside its controls: what it says, its figure, its files."""
