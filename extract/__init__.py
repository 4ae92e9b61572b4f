"""Stage 1: decode every match once, encode it with a frozen network, and cache the feature rows.

    decode      NVDEC or CPU: one iterator of luma pictures with their presentation times
    encode      encoders: luma stacks in, feature rows out
    cache       one immutable HDF5 file per video

`extract.extract` is the loop over many videos, `extract.video` over one, `extract.segments` the hot loop inside it.
"""

__all__ = ["cache", "decode", "encode"]
