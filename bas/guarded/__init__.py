"""Reading of files that may be damaged or made to do harm: HDF5 files, and files of tensors.

Import from the modules: `tensors` loads torch, `hdf5` does not.
"""

__all__ = ["hdf5", "tensors"]
