"""Whether this machine can decode with NVDEC, found out without endangering this process.

PyNvVideoCodec ends the interpreter when it meets no device, and the driver's libraries may be
there in part only (a container needs NVIDIA_DRIVER_CAPABILITIES=compute,utility,video). So the
libraries and devices are looked at first, then one picture is decoded in a process of its own.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from fractions import Fraction
from functools import cache

_LIBRARIES = ("libcuda.so.1", "libnvcuvid.so.1", "libnvidia-encode.so.1")  # it loads all three to decode
_TRIAL_SECONDS = 60
_CUDA_SUCCESS = 0
_lock = threading.Lock()


def obstacle(device_index: int) -> str:
    """What keeps NVDEC from decoding on a CUDA device; empty when nothing does. Found out once."""
    with _lock:
        return _obstacle(device_index)


@cache
def _obstacle(device_index: int) -> str:
    return _library_obstacle() or _device_obstacle(device_index) or _trial_obstacle(device_index)


def _library_obstacle() -> str:
    for name in _LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            return (
                f"{name} of the NVIDIA driver is missing (in a container, "
                "set NVIDIA_DRIVER_CAPABILITIES=compute,utility,video)"
            )
    return ""


def _device_obstacle(device_index: int) -> str:
    driver = ctypes.CDLL(_LIBRARIES[0])
    if code := driver.cuInit(0):
        return f"the NVIDIA driver does not start (CUDA error {code})"
    count = ctypes.c_int(0)
    if driver.cuDeviceGetCount(ctypes.byref(count)) != _CUDA_SUCCESS or count.value <= device_index:
        return f"there are {count.value} CUDA devices, and number {device_index} was asked for"
    return ""


def _trial_obstacle(device_index: int) -> str:
    command = [sys.executable, "-m", __name__, str(device_index)]
    try:
        trial = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=_TRIAL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"a trial picture was not decoded within {_TRIAL_SECONDS} s"
    if trial.returncode == 0:
        return ""
    return f"a trial picture was not decoded: {_gist(trial.stdout + trial.stderr) or f'exit status {trial.returncode}'}"


def _gist(said: str) -> str:
    """The line of a traceback or log that names the error; the last one where none does."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    named = [line for line in lines if "Error" in line or "FATAL" in line]
    return (named or lines or [""])[-1]


def _try_one_picture(device_index: int) -> None:
    """Encode a gray picture with PyAV and decode it with NVDEC."""
    import av
    import numpy as np
    import PyNvVideoCodec

    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 256, 256, "yuv420p"
    encoder.time_base = Fraction(1)
    picture = av.VideoFrame.from_ndarray(np.full((384, 256), 128, np.uint8), format="yuv420p")
    bitstream = b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
    held = ctypes.create_string_buffer(bitstream, len(bitstream))
    decoder = PyNvVideoCodec.CreateDecoder(gpuid=device_index, usedevicememory=True)
    packet, end = PyNvVideoCodec.PacketData(), PyNvVideoCodec.PacketData()
    packet.bsl, packet.bsl_data = len(bitstream), ctypes.addressof(held)
    count = len(decoder.Decode(packet)) + len(decoder.Decode(end))
    if count != 1:
        sys.exit(f"NVDEC made {count} pictures of one")


if __name__ == "__main__":
    _try_one_picture(int(sys.argv[1]))
