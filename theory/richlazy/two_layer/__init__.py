"""Networks of two layers: T5, T11, T15, the routes between them, and sequences of tasks (T12)."""
