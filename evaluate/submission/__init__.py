"""Submission archives for the challenge server, built and checked."""
