"""Stage 1: decode every match once, encode it, and cache one feature row per hop."""
