"""A stock Whisper checkpoint, served untouched: the baseline that the numeric model is held to.

Theory of operation: as Whisper was trained, every recording is padded with silence to 30 s, and the
decoder writes text piece by piece out of its whole vocabulary. Only its search is ours: a beam held
to the grammar (`ivr.asr.piece_search`). Spellings of one value are one answer ("15", "fifteen").
Its probability is the share that it has among the answers, times that of an answer having been said
at all; the rest is the empty answer's: silence, and speech that the question does not accept.

    encoder.onnx    features [1, n_mels, 3000] -> keys_N [heads, d_head, n_frames] and values_N
                    [heads, n_frames, d_head]: what layer N of the decoder attends to
    decoder.onnx    tokens [rows], keys_N, values_N, past_keys and past_values [layers, heads, rows,
                    n_past, d_head] -> log_probs [rows, n_pieces], and the past with this step in it
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ivr.asr.engine import CALL_RATE_HZ, Laps, confidence_of, open_session, widen
from ivr.asr.model_files import Decoding, StockPieces, open_model
from ivr.asr.piece_search import Answer, Found, piece_search
from ivr.audio.mel import HOP_SAMPLES, log_mel
from ivr.errors import ModelError
from ivr.grammar.grammar import Grammar, parse_grammar
from ivr.recognition import Hypothesis, Recognition, Word

# openai/whisper calls a recording silent above this probability of its sign for it...
NO_SPEECH_LEVEL = 0.6
# ... where the mean log-probability of a piece is below -1; an answer has two pieces at least.
UNLIKELY = math.exp(-2.0)


class StockDecoder:
    """The decoder over one recording; see `ivr.asr.piece_search.Decoder`.

    Args:
        session: decoder.onnx.
        heard: what the encoder gave, by name.

    State: the keys and values of the pieces that each row was fed.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, heard: dict[str, NDArray[np.float32]]
    ) -> None:
        self._session, self._heard = session, heard
        heads, _, d_head = heard["values_0"].shape
        nothing = np.zeros((len(heard) // 2, heads, 1, 0, d_head), np.float32)
        self._past_keys = self._past_values = nothing

    def step(self, pieces: list[int], parents: list[int]) -> NDArray[np.float32]:
        """See `ivr.asr.piece_search.Decoder`."""
        log_probs, self._past_keys, self._past_values = self._session.run(
            None,
            {
                "tokens": np.array(pieces, np.int64),
                **self._heard,
                "past_keys": self._past_keys[:, :, parents],
                "past_values": self._past_values[:, :, parents],
            },
        )
        return np.asarray(log_probs, dtype=np.float32)


class StockEngine:
    """One loaded stock checkpoint; used like `ivr.asr.engine.Engine`. Not thread-safe.

    Of the constants of decoding it uses `beam`, `n_best`, `off_grammar_penalty` and the curve of
    the confidence.

    Args:
        folder: the model's folder.

    Raises:
        ModelError: the model is missing, altered, unreadable or no stock checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.description = open_model(folder)
        if self.description.stock is None:
            raise ModelError(f"{folder} is no stock checkpoint; export one with ivr export --stock")
        self.pieces: StockPieces = self.description.stock
        self._encoder = open_session(self.folder / "encoder.onnx")
        self._decoder = open_session(self.folder / "decoder.onnx")

    def warm_up(self) -> None:
        """Runs once on silence, so that the first caller does not wait for allocations."""
        self.recognize(np.zeros(CALL_RATE_HZ, np.int16), "builtin:natural")

    def features(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Whisper's own features [n_mels, max_columns] float32 of 8 kHz samples [n] int16."""
        wide = widen(samples)
        wanted = self.description.max_columns * HOP_SAMPLES
        wide = np.pad(wide[:wanted], (0, max(0, wanted - wide.shape[0])))
        return log_mel(wide, self.description.n_mels, level=self.description.level)

    def encode(self, features: NDArray[np.float32]) -> StockDecoder:
        """A decoder over a recording with these features."""
        names = [output.name for output in self._encoder.get_outputs()]
        heard = self._encoder.run(names, {"features": features[None]})
        return StockDecoder(self._decoder, dict(zip(names, heard, strict=True)))

    def recognize(self, samples: NDArray[np.int16], grammar: str) -> Recognition:
        """Recognises one utterance.

        Args:
            samples: [n] int16, 8 kHz mono; what is longer than 30 s is cut at the end.
            grammar: a grammar URI, such as ``builtin:digits?length=8``.

        Returns:
            The N-best list: answers that the grammar accepts, of different values, and the empty
            one. The words have no places in time.

        Raises:
            ConfigError: the grammar is not one.
        """
        question = parse_grammar(grammar)
        spent = Laps()
        features = self.features(samples)
        spent.lap("mel")
        decoder = self.encode(features)
        spent.lap("encode")
        found = piece_search(
            decoder,
            self.pieces,
            question,
            beam=self.description.decoding.beam,
            longest=self.description.max_tokens - len(self.pieces.prompt),
        )
        hypotheses, confidence = rank(found, question, self.description.decoding)
        spent.lap("decode")
        return Recognition(
            hypotheses=hypotheses,
            confidence=confidence,
            audio_ms=samples.shape[0] * 1000 // CALL_RATE_HZ,
            compute_ms=spent.laps_ms,
        )

    def describe(self) -> dict[str, Any]:
        """What the model is, for logs and `/readyz`."""
        return {"name": self.description.name, "sha256": dict(self.description.sha256)}


def rank(
    found: Found, grammar: Grammar, decoding: Decoding
) -> tuple[tuple[Hypothesis, ...], float]:
    """The N-best list of what a search found, the empty answer in it, and the confidence."""
    # As in Whisper: its sign for silence is believed where it is strong and the text unlikely.
    silent = found.no_speech > NO_SPEECH_LEVEL and found.answered < UNLIKELY
    silence = found.no_speech if silent else 0.0
    silence += (1.0 - silence) * found.end_at_once
    spoken = 1.0 - silence
    answered = found.answered if found.answers else 0.0
    outside = spoken * (1.0 - answered) * math.exp(-decoding.off_grammar_penalty)
    shares = sorted(_shares(found.answers, grammar), key=lambda item: item[1], reverse=True)
    listed = [(words, spoken * answered * share) for words, share in shares[: decoding.n_best]]
    listed.append(((), silence + outside))
    listed.sort(key=lambda item: item[1], reverse=True)
    total = sum(probability for _, probability in listed)
    hypotheses = tuple(
        Hypothesis(
            tuple(Word(text, 0, 0, probability / total) for text in words),
            math.log(max(probability / total, 1e-30)),
        )
        for words, probability in listed
    )
    return hypotheses, confidence_of(listed[0][1] / total, decoding)


def _shares(answers: tuple[Answer, ...], grammar: Grammar) -> list[tuple[tuple[str, ...], float]]:
    """The share of each value among the answers, with its likeliest words; they sum to one."""
    words: dict[str, tuple[str, ...]] = {}
    shares: dict[str, float] = defaultdict(float)
    for answer in answers:  # best first
        state = grammar.walk(answer.words)
        values = state.values if state is not None else ()
        for value in values[:1]:
            words.setdefault(value, answer.words)
            shares[value] += math.exp(answer.score - answers[0].score)
    total = sum(shares.values())
    return [(words[value], share / total) for value, share in shares.items()]
