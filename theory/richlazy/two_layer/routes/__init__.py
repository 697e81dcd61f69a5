"""How `solve` answers: one way a file, and what certifies the ways that integrate."""
