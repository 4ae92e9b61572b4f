"""Temporal heads and the stacker that joins one to its encoder."""
