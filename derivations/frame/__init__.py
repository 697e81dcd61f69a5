"""What every derivation is made of: steps, their checks, and how they are shown."""
