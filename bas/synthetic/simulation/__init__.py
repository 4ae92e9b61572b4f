"""Simulation of one half: who moves, where the ball goes, which action when."""
