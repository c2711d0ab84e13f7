"""The engine: samples in, N-best out, on one core.

Theory of operation: 8 kHz samples are resampled to 16 kHz and become log-mel features; the encoder
runs once over just the audio there is; CTC beam search proposes word sequences, once free and once
held to the grammar; the Whisper decoder scores all of them in one batched pass; the two scores are
joined and normalised over the list. The confidence is that probability through a curve fitted
on tuning speakers.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ivr.asr.beam import align, beam_search
from ivr.asr.chunks import cut_long
from ivr.asr.model_files import Decoding, open_model
from ivr.asr.prefix_tree import PrefixTree
from ivr.asr.tokens import OTHER, VOCABULARY
from ivr.audio.mel import HOP_SAMPLES, N_FFT, log_mel, stack_frames
from ivr.audio.resample import resample
from ivr.errors import ModelError
from ivr.grammar.grammar import parse_grammar
from ivr.recognition import Hypothesis, Recognition, Word

CALL_RATE_HZ = 8_000
MODEL_RATE_HZ = 16_000


def log_odds(probability: float) -> float:
    """Natural log of the odds; capped, since a list of eight cannot tell 1 - 1e-9 from 1 - 1e-6."""
    return math.log(probability) - math.log(max(1.0 - probability, 1e-6))


def confidence_of(probability: float, decoding: Decoding) -> float:
    """The confidence (0..1) of an answer with this probability among the N-best."""
    curve = decoding.confidence_slope * log_odds(probability) + decoding.confidence_offset
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, curve))))


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """A model file on one thread.

    Raises:
        ModelError: it cannot be loaded.
    """
    options = onnxruntime.SessionOptions()
    # Many one-thread workers beat one batched worker, and a spinning thread would steal cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False  # a worker's memory counts for more than its allocations
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise ModelError(f"{path} cannot be loaded: {error}") from error


def widen(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Samples [2 n] float32 at 16 kHz, full scale +-1.0, of samples [n] int16 at 8 kHz."""
    floats = samples.astype(np.float32) / np.float32(32768)
    return resample(floats, CALL_RATE_HZ, MODEL_RATE_HZ)


class Laps:
    """Milliseconds by stage of one recognition."""

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """The time since the lap before was this stage's."""
        now = time.perf_counter()
        self.laps_ms[stage] = (now - self._last) * 1000
        self._last = now


class Engine:
    """One loaded model. Not thread-safe: one to a worker process.

    Args:
        folder: the model's folder; None for the embedded model.

    Raises:
        ModelError: the model is missing, altered or unreadable.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self.description = open_model(folder)
        if self.description.stock is not None:
            raise ModelError(f"{self.folder} is a stock checkpoint; a numeric model is wanted here")
        self._encoder = open_session(self.folder / "encoder.onnx")
        self._decoder = open_session(self.folder / "decoder.onnx")

    def warm_up(self) -> None:
        """Runs once on silence, so that the first caller does not wait for allocations."""
        self.recognize(np.zeros(CALL_RATE_HZ, np.int16), "builtin:natural")

    def pieces(self, samples: NDArray[np.int16]) -> list[NDArray[np.int16]]:
        """Samples [n] int16, 8 kHz, as what is encoded at a time; see `ivr.asr.chunks`."""
        description = self.description
        longest = description.max_columns * description.stack * HOP_SAMPLES // 2  # at 8 kHz
        return cut_long(samples[:longest], description.frame_ms)

    def features(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Encoder input [stack * n_mels, n_columns] float32 of 8 kHz samples [n] int16."""
        description = self.description
        wide = widen(samples)
        longest = description.max_columns * description.stack * HOP_SAMPLES
        wide = wide[:longest]
        # Audio shorter than an encoder frame gets silence behind it.
        short = max(N_FFT, description.frame_ms * MODEL_RATE_HZ // 1000) - wide.shape[0]
        if short > 0:
            wide = np.pad(wide, (0, short))
        mel = log_mel(wide, description.n_mels, level=description.level)
        return stack_frames(mel, description.stack)

    def encode(
        self, features: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Encoder states [1, n_frames, d_model], CTC log-probabilities [n_frames, vocabulary]."""
        states, log_probs = self._encoder.run(None, {"features": features[None]})
        return states, log_probs[0]

    def encode_pieces(
        self, features: list[NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The same of several features, their frames in a row."""
        encoded = [self.encode(piece) for piece in features]
        states = np.concatenate([states for states, _ in encoded], axis=1)
        return states, np.concatenate([log_probs for _, log_probs in encoded])

    def rescore(
        self, states: NDArray[np.float32], candidates: list[tuple[int, ...]]
    ) -> NDArray[np.float32]:
        """Log-probability of each token of each candidate by the decoder, EOT included.

        Returns:
            [n_candidates, longest + 1] float32, zero behind the end of each.
        """
        tree = PrefixTree.of(candidates)
        return tree.by_candidate(self.score(states, tree))

    def score(self, states: NDArray[np.float32], tree: PrefixTree) -> NDArray[np.float32]:
        """Log-probability [n_predictions] float32 of each prediction of the tree."""
        (scores,) = self._decoder.run(
            None,
            {
                "states": states,
                "tokens": tree.tokens,
                "places": tree.places,
                "mask": tree.mask,
                "parents": tree.parents,
                "following": tree.following,
            },
        )
        return np.asarray(scores, dtype=np.float32)

    def recognize(self, samples: NDArray[np.int16], grammar: str) -> Recognition:
        """Recognises one utterance.

        Args:
            samples: [n] int16, 8 kHz mono; longer than the model's context is cut at the end.
            grammar: a grammar URI, such as ``builtin:digits?length=8``.

        Returns:
            The N-best list: free hypotheses and accepted ones compete, so that a question about
            digits does not turn every noise into one.

        Raises:
            ConfigError: the grammar is not one.
        """
        spent = Laps()
        features = [self.features(piece) for piece in self.pieces(samples)]
        spent.lap("mel")
        states, log_probs = self.encode_pieces(features)
        spent.lap("encode")
        ctc = self.propose(log_probs, grammar)
        spent.lap("search")
        scores = self.rescore(states, list(ctc)).sum(axis=1).tolist()
        weight = self.description.decoding.ctc_weight
        joined = [
            weight * proposed + (1 - weight) * score - self._penalty(ids, grammar)
            for (ids, proposed), score in zip(ctc.items(), scores, strict=True)
        ]
        hypotheses, confidence = self._rank(list(ctc), joined, log_probs)
        spent.lap("rescore")
        return Recognition(
            hypotheses=hypotheses,
            confidence=confidence,
            audio_ms=samples.shape[0] * 1000 // CALL_RATE_HZ,
            compute_ms=spent.laps_ms,
        )

    def propose(self, log_probs: NDArray[np.float32], grammar: str) -> dict[tuple[int, ...], float]:
        """The word sequences worth rescoring with their CTC scores: free and accepted ones."""
        decoding = self.description.decoding
        free = beam_search(log_probs, beam=decoding.beam)
        held = beam_search(log_probs, beam=decoding.beam, grammar=parse_grammar(grammar))
        found = dict(free[: decoding.n_best]) | dict(held[: decoding.n_best])
        longest = self.description.max_tokens - 2
        return {ids: score for ids, score in found.items() if len(ids) <= longest} or {(): 0.0}

    def _penalty(self, ids: tuple[int, ...], grammar: str) -> float:
        """What a hypothesis loses for being no answer, or one to another question."""
        words = [VOCABULARY[token] for token in ids if token != OTHER]
        if not words:
            return self.description.decoding.other_penalty
        state = parse_grammar(grammar).walk(words)
        accepted = state is not None and state.complete
        return 0.0 if accepted else self.description.decoding.off_grammar_penalty

    def _rank(
        self,
        candidates: list[tuple[int, ...]],
        joined: list[float],
        log_probs: NDArray[np.float32],
    ) -> tuple[tuple[Hypothesis, ...], float]:
        decoding = self.description.decoding
        scaled = np.array(joined) / decoding.temperature
        posterior = scaled - scaled.max()
        posterior -= np.log(np.exp(posterior).sum())
        order = np.argsort(-posterior)
        probability = float(np.exp(posterior[order[0]]))
        hypotheses = tuple(
            Hypothesis(
                self._words(candidates[row], log_probs if rank == 0 else None),
                float(min(0.0, posterior[row])),
            )
            for rank, row in enumerate(order.tolist())
        )
        return hypotheses, confidence_of(probability, decoding)

    def _words(
        self, ids: tuple[int, ...], log_probs: NDArray[np.float32] | None
    ) -> tuple[Word, ...]:
        """The words with their times; only the best hypothesis is worth the alignment."""
        if not ids:
            return ()
        frame_ms = self.description.frame_ms
        places: list[tuple[int, int, float]] = [(0, 0, 0.0)] * len(ids)
        if log_probs is not None and log_probs.shape[0] >= len(ids):
            places = align(log_probs, ids)
        return tuple(
            Word(VOCABULARY[token], start * frame_ms, end * frame_ms, confidence)
            for token, (start, end, confidence) in zip(ids, places, strict=True)
        )

    def describe(self) -> dict[str, Any]:
        """What the model is, for logs and `/readyz`."""
        return {"name": self.description.name, "sha256": dict(self.description.sha256)}
