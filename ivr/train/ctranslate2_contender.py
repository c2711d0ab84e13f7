"""CTranslate2 in the race: the same weights in its own format, int8, on one thread.

It writes piece by piece with a beam; CTC is no part of its Whisper. Needs the bench extra.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import ctranslate2
import numpy as np
from ctranslate2.converters.transformers import WhisperLoader
from numpy.typing import NDArray
from transformers import WhisperForConditionalGeneration

from ivr.asr.engine import Laps
from ivr.asr.tokens import EOT, OTHER, SOT
from ivr.errors import ConfigError
from ivr.train.base import load_base, open_base
from ivr.train.stock import END, PROMPT

# Any token that the answer does not need may be the prompt's second, so long as it lies behind EOT.
NUMERIC_NAMES = {SOT: PROMPT[False][0], EOT: END, OTHER: PROMPT[False][1]}


def write_cut(base: Path, folder: Path) -> None:
    """The checkpoint cut to the numeric vocabulary, in CTranslate2's format."""
    _write(load_base(str(base)).whisper, folder, NUMERIC_NAMES)


def write_stock(base: Path, folder: Path) -> None:
    """The checkpoint as it is, in CTranslate2's format.

    Raises:
        ConfigError: it has no tokenizer.json.
    """
    stock, tokenizer = open_base(str(base))
    if tokenizer is None:
        raise ConfigError(f"{base} has no tokenizer.json")
    known = tokenizer.get_vocab()
    _write(stock, folder, {known[name]: name for name in (*PROMPT[True], END) if name in known})


def _write(model: WhisperForConditionalGeneration, folder: Path, names: dict[int, str]) -> None:
    """Converts; `names` are those by which CTranslate2 finds special pieces."""
    spec = WhisperLoader().get_model_spec(model)
    spec.register_vocabulary(
        [names.get(number, f"piece {number}") for number in range(model.config.vocab_size)]
    )
    for name in ("suppress_ids", "suppress_ids_begin", "lang_ids"):
        setattr(spec.config, name, [])
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize("int8")
    spec.save(str(folder))


class Writer:
    """A converted model on one thread.

    Args:
        folder: the converted model.
    """

    def __init__(self, folder: Path) -> None:
        self._model = ctranslate2.models.Whisper(
            str(folder), compute_type="int8", intra_threads=1, inter_threads=1
        )
        numbers = {name: n for n, name in enumerate(_vocabulary(folder))}
        self._prompt = [numbers[name] for name in PROMPT[True] if name in numbers]
        self._end = numbers[END]

    def run(
        self, features: Callable[[], NDArray[np.float32]], *, beam: int, n_pieces: int
    ) -> dict[str, float]:
        """Recognises once.

        Args:
            features: works out [n_mels, n_columns] float32.
            beam: rows kept.
            n_pieces: pieces to write.

        Returns:
            Milliseconds by stage.
        """
        spent = Laps()
        made = features()
        spent.lap("mel")
        states = self.encode(made)
        spent.lap("encode")
        self.write(states, beam=beam, n_pieces=n_pieces)
        spent.lap("decode")
        return spent.laps_ms

    def encode(self, features: NDArray[np.float32]) -> ctranslate2.StorageView:
        """Encoder states of features [n_mels, n_columns]."""
        batch = np.ascontiguousarray(features[None])
        return self._model.encode(ctranslate2.StorageView.from_array(batch), to_cpu=True)

    def write(self, states: ctranslate2.StorageView, *, beam: int, n_pieces: int) -> list[int]:
        """Numbers of the pieces of the best text, which does not end before it has `n_pieces`."""
        (result,) = self._model.generate(
            states,
            [self._prompt],
            beam_size=beam,
            num_hypotheses=beam,
            # It writes half of it at most: Whisper's context holds the text before as well.
            max_length=2 * n_pieces,
            return_scores=True,
            suppress_blank=False,
            suppress_tokens=[self._end],
        )
        return list(result.sequences_ids[0])


def _vocabulary(folder: Path) -> list[str]:
    names: list[str] = json.loads((folder / "vocabulary.json").read_text())
    return names
