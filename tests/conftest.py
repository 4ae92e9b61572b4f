"""One thread a process: tests fork, which threads of a parent do not survive, and run beside each other."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
