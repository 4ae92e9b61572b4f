"""Feature caches: one immutable HDF5 file per video."""

from bas.extract.cache.fingerprint import (
    Fingerprint,
    VideoIdentity,
    cache_path,
    fingerprint_of,
    identify_in_background,
)
from bas.extract.cache.format import FORMAT, CacheAttributes
from bas.extract.cache.parts import Part, Segments, hash_rows, part_path, read_part, write_part
from bas.extract.cache.reader import DamagedSpan, FeatureCache, open_cache, verify
from bas.extract.cache.writer import write_cache

__all__ = [
    "FORMAT",
    "CacheAttributes",
    "DamagedSpan",
    "FeatureCache",
    "Fingerprint",
    "Part",
    "Segments",
    "VideoIdentity",
    "cache_path",
    "fingerprint_of",
    "hash_rows",
    "identify_in_background",
    "open_cache",
    "part_path",
    "read_part",
    "verify",
    "write_cache",
    "write_part",
]
