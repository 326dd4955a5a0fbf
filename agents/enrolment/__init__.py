"""A machine's identity: registered, renewed, taken over by another computer."""
