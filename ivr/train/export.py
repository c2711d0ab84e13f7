"""Export: from a trained network to the int8 files that `ivr.asr.engine` runs.

Weights of matrix products become int8 by channel, activations are quantised as they come;
convolutions, norms and positions stay float32. Needs torch, onnx and onnxruntime.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from torch.nn import functional

from ivr.asr.model_files import ModelDescription, write_description
from ivr.train.network import NumericWhisper


class _Encoder(nn.Module):
    def __init__(self, model: NumericWhisper) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        states = self.model.encode(features)
        return states, self.model.ctc(states)


class _Decoder(nn.Module):
    """Log-probability that the decoder gives to each next token of given sequences."""

    def __init__(self, model: NumericWhisper) -> None:
        super().__init__()
        self.model = model

    def forward(self, states: Tensor, tokens: Tensor) -> Tensor:
        spread = states.expand(tokens.shape[0], -1, -1)
        logits = self.model.decode(spread, tokens[:, :-1])
        log_probs = functional.log_softmax(logits, dim=-1)
        return log_probs.gather(2, tokens[:, 1:, None])[:, :, 0]


def export(model: NumericWhisper, folder: Path, name: str, notes: dict[str, Any]) -> None:
    """Writes `model.json`, `encoder.onnx` and `decoder.onnx` (int8) into `folder`.

    Args:
        model: the network; it is left in evaluation mode and float32.
        folder: made if it is missing.
        name: what the model is called in logs and in `/readyz`.
        notes: kept in `model.json`, such as the steps trained.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = model.eval().float()
    shape = model.shape
    features = torch.zeros(1, shape.n_mels * shape.stack, 100)
    states = torch.zeros(1, 50, shape.d_model)
    tokens = torch.ones(3, 6, dtype=torch.long)
    _write(
        folder / "encoder.onnx",
        _Encoder(model),
        {"features": features},
        ["states", "log_probs"],
        {"features": {2: "columns"}, "states": {1: "frames"}, "log_probs": {1: "frames"}},
    )
    _write(
        folder / "decoder.onnx",
        _Decoder(model),
        {"states": states, "tokens": tokens},
        ["scores"],
        {"states": {1: "frames"}, "tokens": {0: "rows", 1: "tokens"}, "scores": {0: "rows"}},
    )
    description = ModelDescription(
        name=name,
        n_mels=shape.n_mels,
        stack=shape.stack,
        level=True,
        max_columns=shape.max_frames * 2,
        max_tokens=shape.max_tokens,
        notes=notes,
    )
    write_description(folder, description)


def _write(
    path: Path,
    module: nn.Module,
    inputs: dict[str, Tensor],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
) -> None:
    """Traces a module on example inputs and quantises it; `axes` are those of any length."""
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter warns of constants that are meant
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
