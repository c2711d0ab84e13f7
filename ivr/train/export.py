"""Export: from a trained network to the int8 files that `ivr.asr.engine` runs.

Weights of matrix products become int8 by channel, activations are quantised as they come; norms
stay float32. The two convolutions are written as matrix products, so that they shrink as well, and
the positions are computed instead of stored: together 4 MB of a Whisper-tiny. Needs torch, onnx and
onnxruntime.
"""

from __future__ import annotations

import logging
import math
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from torch.nn import functional

from ivr.asr.model_files import ModelDescription, write_description
from ivr.asr.prefix_tree import PrefixTree
from ivr.errors import ModelError
from ivr.train.network import NumericWhisper


class Convolution(nn.Module):
    """A convolution over three columns as one matrix product: [1, n, in], [1, n / stride, out]."""

    def __init__(self, conv: nn.Conv1d) -> None:
        super().__init__()
        self.stride = int(conv.stride[0])
        out, height, width = conv.weight.shape
        self.product = nn.Linear(width * height, out)
        with torch.no_grad():
            self.product.weight.copy_(conv.weight.transpose(1, 2).reshape(out, width * height))
            self.product.bias.copy_(conv.bias if conv.bias is not None else torch.zeros(out))

    def forward(self, columns: Tensor) -> Tensor:
        """The convolved columns."""
        padded = functional.pad(columns, (0, 0, 1, 1))
        step = self.stride
        shifted = [padded[:, :-2:step], padded[:, 1:-1:step], padded[:, 2::step]]
        product: Tensor = self.product(torch.cat(shifted, dim=2))
        return product


class _Encoder(nn.Module):
    def __init__(self, model: NumericWhisper) -> None:
        super().__init__()
        self.model = model
        encoder = model.whisper.model.encoder
        self.first, self.second = Convolution(encoder.conv1), Convolution(encoder.conv2)
        half = model.shape.d_model // 2
        self.speeds = torch.exp(torch.arange(half) * (-math.log(10_000) / (half - 1)))
        stored = encoder.embed_positions.weight
        if not torch.allclose(self.positions(stored.shape[0]), stored, atol=2e-3):
            raise ModelError("the encoder's positions are not Whisper's sinusoids")

    def positions(self, n_frames: int) -> Tensor:
        """Whisper's sinusoids [n_frames, d_model]."""
        angles = torch.arange(n_frames)[:, None] * self.speeds
        return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        states = functional.gelu(self.first(features.transpose(1, 2)))
        states = functional.gelu(self.second(states))
        states = self.model.encode_frames(states + self.positions(states.shape[1]))
        return states, self.model.ctc(states)


class _Decoder(nn.Module):
    """Log-probability that the decoder gives to each prediction of an `ivr.asr.prefix_tree`."""

    def __init__(self, model: NumericWhisper) -> None:
        super().__init__()
        self.model = model

    def forward(  # noqa: PLR0917 - the inputs of the graph, in their order
        self,
        states: Tensor,
        tokens: Tensor,
        places: Tensor,
        mask: Tensor,
        parents: Tensor,
        following: Tensor,
    ) -> Tensor:
        logits = self.model.decode_tree(states, tokens[None], places, mask)[0]
        return functional.log_softmax(logits, dim=-1)[parents, following]


def export(model: NumericWhisper, folder: Path, name: str, notes: dict[str, Any]) -> None:
    """Writes `model.json`, `encoder.onnx` and `decoder.onnx` (int8) into `folder`.

    Args:
        model: the network; it is left in evaluation mode and float32.
        folder: made if it is missing.
        name: what the model is called in logs and in `/readyz`.
        notes: kept in `model.json`, such as the steps trained.

    Raises:
        ModelError: the network cannot be written in this form.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = model.eval().float()
    shape = model.shape
    features = torch.zeros(1, shape.n_mels * shape.stack, 100)
    states = torch.zeros(1, 50, shape.d_model)
    tree = PrefixTree.of([(5, 6, 7), (5, 7), (6,)])
    write_graph(
        folder / "encoder.onnx",
        _Encoder(model),
        {"features": features},
        ["states", "log_probs"],
        {"features": {2: "columns"}, "states": {1: "frames"}, "log_probs": {1: "frames"}},
    )
    write_graph(
        folder / "decoder.onnx",
        _Decoder(model),
        {
            "states": states,
            "tokens": torch.from_numpy(tree.tokens),
            "places": torch.from_numpy(tree.places),
            "mask": torch.from_numpy(tree.mask),
            "parents": torch.from_numpy(tree.parents),
            "following": torch.from_numpy(tree.following),
        },
        ["scores"],
        {
            "states": {1: "frames"},
            **{key: {0: "nodes"} for key in ("tokens", "places")},
            "mask": {0: "nodes", 1: "nodes"},
            **{key: {0: "predictions"} for key in ("parents", "following", "scores")},
        },
    )
    description = ModelDescription(
        name=name,
        n_mels=shape.n_mels,
        stack=shape.stack,
        level=True,
        frame_ms=shape.frame_ms,
        max_columns=shape.max_frames * 2,
        max_tokens=shape.max_tokens,
        notes=notes,
        shape=shape.as_dict(),
    )
    write_description(folder, description)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings of constants that are meant, and the quantiser's advice."""
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def write_graph(
    path: Path,
    module: nn.Module,
    inputs: dict[str, Tensor],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
) -> None:
    """Traces a module on example inputs and writes it quantised.

    Args:
        path: the file.
        module: what to write.
        inputs: examples by name, in the order of the module's arguments.
        outputs: names.
        axes: by name, those of any length.
    """
    with tempfile.TemporaryDirectory() as temporary, _quiet():
        plain = Path(temporary) / path.name
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            str(plain),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(
            plain,
            path,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "Gemm"],
        )
