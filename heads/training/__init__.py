"""Training of a head on cached feature rows (stage 2)."""
