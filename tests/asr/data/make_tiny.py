"""Makes the tiny model of these tests: a recogniser of tones, a word a tone, with nothing trained.

    python -m tests.asr.data.make_tiny        (needs the package `onnx`, as in the train extras)

It has the inputs and outputs of a real model, so that engine and pool can be tested without one.
The encoder averages two columns into a frame and compares the mel band of each tone with a
threshold; the decoder likes every word equally. `model.json` is written by the tests, in the
format of the day.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ivr.asr.tokens import BLANK, TOKEN_ID, VOCABULARY
from ivr.audio.mel import N_FFT, N_MELS, SAMPLE_RATE_HZ, mel_filters
from tests.asr.tiny import TINY, TONES_HZ

STACK = 2
SHARPNESS = 30.0  # log-odds for each unit (40 dB) of level
THRESHOLD = 0.4  # a tone of -20 dBFS is at about 1.1, silence beside it at -0.9
NEVER = -20.0  # log-odds of the words without a tone


def save(name: str, graph: onnx.GraphProto) -> None:
    """Checks and writes a graph for the oldest onnxruntime that the package allows."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, TINY / f"{name}.onnx")


def constant(name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
    """A named constant."""
    return numpy_helper.from_array(values, name)


def encoder() -> onnx.GraphProto:
    """Features [1, 160, columns] -> states [1, frames, 160], log_probs [1, frames, words]."""
    height = STACK * N_MELS
    weights = np.zeros((height, len(VOCABULARY)), np.float32)
    bias = np.full(len(VOCABULARY), NEVER, np.float32)
    bias[BLANK] = 0.0
    for word, tone_hz in TONES_HZ.items():
        band = int(mel_filters()[round(tone_hz * N_FFT / SAMPLE_RATE_HZ)].argmax())
        weights[[band, N_MELS + band], TOKEN_ID[word]] = SHARPNESS / STACK
        bias[TOKEN_ID[word]] = -SHARPNESS * THRESHOLD
    return helper.make_graph(
        [
            helper.make_node(
                "AveragePool", ["features"], ["pooled"], kernel_shape=[2], strides=[2], ceil_mode=1
            ),
            helper.make_node("Transpose", ["pooled"], ["states"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["states", "weights"], ["products"]),
            helper.make_node("Add", ["products", "bias"], ["logits"]),
            helper.make_node("LogSoftmax", ["logits"], ["log_probs"], axis=-1),
        ],
        "encoder",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, height, "columns"])],
        [
            helper.make_tensor_value_info("states", TensorProto.FLOAT, [1, "frames", height]),
            helper.make_tensor_value_info(
                "log_probs", TensorProto.FLOAT, [1, "frames", len(VOCABULARY)]
            ),
        ],
        [constant("weights", weights), constant("bias", bias)],
    )


def decoder() -> onnx.GraphProto:
    """States and a prefix tree -> scores [predictions], all 0."""
    height = STACK * N_MELS
    integers = {"tokens": "nodes", "places": "nodes", "parents": "predictions"}
    return helper.make_graph(
        [
            helper.make_node("Cast", ["following"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["states"], ["top"], keepdims=0),
            helper.make_node("Add", ["numbers", "top"], ["sums"]),
            helper.make_node("Mul", ["sums", "zero"], ["scores"]),
        ],
        "decoder",
        [
            helper.make_tensor_value_info("states", TensorProto.FLOAT, [1, "frames", height]),
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["nodes", "nodes"]),
            *(
                helper.make_tensor_value_info(name, TensorProto.INT64, [axis])
                for name, axis in (*integers.items(), ("following", "predictions"))
            ),
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["predictions"])],
        [constant("zero", np.array(0.0, np.float32))],
    )


if __name__ == "__main__":
    Path(TINY).mkdir(exist_ok=True)
    save("encoder", encoder())
    save("decoder", decoder())
