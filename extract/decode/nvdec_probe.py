"""Test of whether NVDEC works on this machine, without endangering this process.

PyNvVideoCodec ends the interpreter if it finds no device, and the driver's libraries may be
installed only in part (a container needs NVIDIA_DRIVER_CAPABILITIES=compute,utility,video). So the
libraries and devices are checked first, then a child process decodes one picture.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from fractions import Fraction
from functools import cache

_LIBRARIES = ("libcuda.so.1", "libnvcuvid.so.1", "libnvidia-encode.so.1")  # it loads all three to decode
_TEST_TIMEOUT_SECONDS = 60
_CUDA_SUCCESS = 0
_lock = threading.Lock()


def unavailable_reason(device_index: int) -> str:
    """Why NVDEC cannot decode on a CUDA device; empty if it can. Tested once per process."""
    with _lock:  # the cache alone would let several threads run the test at once
        return _unavailable_reason(device_index)


@cache
def _unavailable_reason(device_index: int) -> str:
    return _library_problem() or _device_problem(device_index) or _test_decode_problem(device_index)


def _library_problem() -> str:
    for name in _LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            return (
                f"{name} of the NVIDIA driver is missing (in a container, "
                "set NVIDIA_DRIVER_CAPABILITIES=compute,utility,video)"
            )
    return ""


def _device_problem(device_index: int) -> str:
    driver = ctypes.CDLL(_LIBRARIES[0])
    if code := driver.cuInit(0):
        return f"the NVIDIA driver does not start (CUDA error {code})"
    count = ctypes.c_int(0)
    if driver.cuDeviceGetCount(ctypes.byref(count)) != _CUDA_SUCCESS or count.value <= device_index:
        return f"CUDA device {device_index} was requested; CUDA devices of this machine: {count.value}"
    return ""


def _test_decode_problem(device_index: int) -> str:
    command = [sys.executable, "-m", __name__, str(device_index)]
    try:
        test = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=_TEST_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"decoding a test picture took longer than {_TEST_TIMEOUT_SECONDS} s"
    if test.returncode == 0:
        return ""
    reason = _error_line(test.stdout + test.stderr) or f"exit status {test.returncode}"
    return f"decoding a test picture failed: {reason}"


def _error_line(output: str) -> str:
    """Return the line of a traceback or log that names the error, else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    named = [line for line in lines if "Error" in line or "FATAL" in line]
    return (named or lines or [""])[-1]


def _decode_test_picture(device_index: int) -> None:
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
        sys.exit(f"NVDEC decoded {count} pictures instead of 1")


if __name__ == "__main__":
    _decode_test_picture(int(sys.argv[1]))
