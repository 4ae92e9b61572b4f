"""Stage 1: decode every match once, encode it, and cache a feature row per frame."""
