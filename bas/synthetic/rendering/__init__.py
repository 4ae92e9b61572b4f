"""Rendering of a simulated half to pictures."""
