"""Small networks with the flow of a large one (T11, T15)."""
