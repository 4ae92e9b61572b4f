"""Annotation files: SoccerNet labels, OSL JSON and E2E-Spot JSON."""
