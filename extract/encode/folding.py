"""Folding of batch normalizations and of TensorFlow's padding into convolutions, where the output stays the same."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from timm.layers.padding import get_same_padding
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_CONVOLUTIONS = (nn.Conv2d, Conv2dSame)  # exactly these: others standardize their weights
_NORMALIZATIONS = (nn.BatchNorm2d, BatchNormAct2d)


class DataFlow:
    """Data flow of one forward pass: which convolution or normalization reads which one's output."""

    def __init__(self, body: nn.Module, size: tuple[int, int]) -> None:
        """Run a copy of `body` on the meta device, with an input of `size` rows and columns."""
        self._reads: Counter[int] = Counter()
        self._calls: Counter[str] = Counter()
        self._source: dict[str, int] = {}
        self._writer: dict[int, str] = {}
        self.input_sizes: dict[str, set[tuple[int, int]]] = {}
        """Rows and columns of what each convolution and normalization reads, over all its calls."""
        # The meta device computes shapes only: the flow is known without a single multiplication.
        shadow = deepcopy(body).to("meta").eval()
        for name, module in shadow.named_modules():
            if type(module) in _CONVOLUTIONS + _NORMALIZATIONS:
                module.register_forward_hook(self._hook(name))
        picture = torch.empty(1, 3, *size, device="meta")
        self._input = id(picture)
        with torch.no_grad(), _CountReads(self._reads):
            self.output: Any = shadow(picture)

    @property
    def stem(self) -> str | None:
        """Name of the convolution that is the only reader of the input; None if there is none."""
        readers = [name for name, source in self._source.items() if source == self._input]
        return readers[0] if len(readers) == 1 and self._reads[self._input] == 1 else None

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names of (convolution, normalization) pairs where only the normalization reads the output."""
        return [
            (self._writer[source], norm)
            for norm, source in self._source.items()
            if source in self._writer
            # A module that is called twice, or an output with a second reader, needs the weights as they are.
            and self._reads[source] == self._calls[norm] == self._calls[self._writer[source]] == 1
        ]

    def _hook(self, name: str) -> Any:
        def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self._calls[name] += 1
            self._source[name] = id(inputs[0])
            rows, columns = inputs[0].shape[-2:]
            self.input_sizes.setdefault(name, set()).add((rows, columns))
            if type(module) in _CONVOLUTIONS:
                self._writer[id(output)] = name

        return record


def fold_normalizations(body: nn.Module, flow: DataFlow) -> None:
    """Fold each normalization of `flow.pairs` into its convolution, in place; `body` must be in eval mode."""
    for conv_name, norm_name in flow.pairs:
        conv, norm = body.get_submodule(conv_name), body.get_submodule(norm_name)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, _NORMALIZATIONS)
        if type(norm) not in _NORMALIZATIONS or norm.running_mean is None or norm.running_var is None:
            continue
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        # timm's BatchNormAct2d includes the activation, which has to remain.
        rest = norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity()
        body.set_submodule(norm_name, rest)


def fold_same_paddings(body: nn.Module, flow: DataFlow) -> None:
    """Turn each depthwise convolution with TensorFlow's padding into a plain one, in place.

    That padding depends on the size and, at stride 2, is one longer behind the picture than before it, so
    that timm pads a copy of the whole map. The plain convolution pads alike on both sides, and a row or column
    of zeros before the kernel makes up for it: the sums are the same, and the copy is gone. Depthwise
    convolutions wait for memory, so that the larger kernel costs nothing; others would become slower.
    """
    for name, sizes in flow.input_sizes.items():
        conv = body.get_submodule(name)
        if type(conv) is not Conv2dSame or conv.groups < conv.in_channels or len(sizes) != 1:
            continue
        (size,) = sizes
        totals = [
            get_same_padding(*side)
            for side in zip(size, conv.kernel_size, conv.stride, conv.dilation, strict=True)
        ]
        if any(total % 2 and dilation > 1 for total, dilation in zip(totals, conv.dilation, strict=True)):
            continue
        before_rows, before_columns = (total % 2 for total in totals)
        weight = functional.pad(conv.weight, (before_columns, 0, before_rows, 0))
        plain = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            (weight.shape[2], weight.shape[3]),
            stride=(conv.stride[0], conv.stride[1]),
            padding=(-(-totals[0] // 2), -(-totals[1] // 2)),
            dilation=(conv.dilation[0], conv.dilation[1]),
            groups=conv.groups,
            bias=conv.bias is not None,
            device="meta",
        )
        plain.weight, plain.bias = nn.Parameter(weight, requires_grad=False), conv.bias
        body.set_submodule(name, plain)


class _CountReads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Dispatch mode that counts how many operations read each tensor."""

    def __init__(self, reads: Counter[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reads = reads
        self._alive: list[Any] = []  # an id may be reused once its tensor is freed

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor):
                self._reads[id(leaf)] += 1
        result = func(*args, **(kwargs or {}))
        self._alive.append((args, result))
        return result
