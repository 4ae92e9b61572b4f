"""Encoders: luma stacks in, feature rows out."""
