"""How `recurrent.solve` answers, and what certifies it."""
