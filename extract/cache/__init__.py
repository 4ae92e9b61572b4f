"""Feature caches: one immutable HDF5 file per video."""
