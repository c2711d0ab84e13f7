"""The files of a model: what must be in its folder, and that nobody altered them.

    model.json      what it is: shape, vocabulary, decoding constants, SHA-256 of the rest
    encoder.onnx    features -> encoder states and CTC log-probabilities
    decoder.onnx    encoder states and a prefix tree -> log-probability of each prediction

A model is all three or nothing. A stock checkpoint served untouched has files of the same names, of
another kind (`ivr.asr.stock`), and a `stock` in its model.json.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ivr.asr.tokens import VOCABULARY
from ivr.errors import ModelError

EMBEDDED = Path(__file__).resolve().parent.parent / "models" / "embedded"
FORMAT = 3


@dataclass(frozen=True)
class Decoding:
    """Constants of decoding, fitted on tuning speakers and kept with the weights.

    Attributes:
        beam: prefixes kept by the CTC search.
        n_best: hypotheses rescored by the decoder and returned.
        ctc_weight: share of the CTC score; the decoder has the rest.
        off_grammar_penalty: natural log of how much rarer callers say numbers that the question
            does not accept than ones it does. It is taken off the score of a number outside the
            grammar, never gained by one inside: silence and other speech compete as before.
        other_penalty: natural log of how much rarer callers who are asked say no word of the
            vocabulary than training heard it. It is taken off the score of a hypothesis without.
        temperature: divides the scores of the N-best list before they become probabilities.
        confidence_slope, confidence_offset: a logistic curve from the log-odds of the N-best
            probability to the confidence (Platt 1999).
    """

    beam: int = 8
    n_best: int = 5
    ctc_weight: float = 0.5
    off_grammar_penalty: float = 2.0
    other_penalty: float = 0.0
    temperature: float = 1.0
    confidence_slope: float = 1.0
    confidence_offset: float = 0.0


@dataclass(frozen=True)
class StockPieces:
    """The pieces of text that a stock checkpoint's decoder reads and writes, by column.

    Attributes:
        texts: what each writes; "" for one that is no text.
        prompt: the columns that the decoder is fed first.
        end: the column that ends a transcript.
        no_speech: the column that says, right after the first of the prompt, that nobody speaks.
    """

    texts: tuple[str, ...]
    prompt: tuple[int, ...]
    end: int
    no_speech: int


@dataclass(frozen=True)
class ModelDescription:
    """What `model.json` says.

    Attributes:
        name: what the model is called in logs and in `/readyz`.
        n_mels: mel bands.
        stack: mel frames to an encoder input column.
        level: whether features are shifted so that their loudest cell is 1.0.
        frame_ms: how far apart encoder states are.
        max_columns: the longest input, in columns.
        max_tokens: the longest transcript, start and end included.
        decoding: constants of decoding.
        sha256: hex digests of the other files, by name.
        notes: how it was made.
        shape: the network's size, for the benchmark; empty where it was not kept.
        stock: of a stock checkpoint served untouched, its pieces; None for a numeric model.
    """

    name: str
    n_mels: int
    stack: int
    level: bool
    frame_ms: int
    max_columns: int
    max_tokens: int
    decoding: Decoding = field(default_factory=Decoding)
    sha256: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    shape: dict[str, int] = field(default_factory=dict)
    stock: StockPieces | None = None

    def as_dict(self) -> dict[str, Any]:
        """The content of `model.json`."""
        return {
            "format": FORMAT,
            "name": self.name,
            "n_mels": self.n_mels,
            "stack": self.stack,
            "level": self.level,
            "frame_ms": self.frame_ms,
            "max_columns": self.max_columns,
            "max_tokens": self.max_tokens,
            "vocabulary": list(VOCABULARY),
            "decoding": self.decoding.__dict__,
            "sha256": self.sha256,
            "notes": self.notes,
            "shape": self.shape,
            "stock": None if self.stock is None else asdict(self.stock),
        }


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_description(folder: Path, description: ModelDescription) -> None:
    """Writes `model.json`, digests included."""
    digests = {p.name: sha256_of(p) for p in sorted(folder.glob("*.onnx"))}
    content = description.as_dict() | {"sha256": digests}
    (folder / "model.json").write_text(json.dumps(content, indent=2) + "\n")


def _read_stock(content: dict[str, Any] | None) -> StockPieces | None:
    if content is None:
        return None
    return StockPieces(
        texts=tuple(content["texts"]),
        prompt=tuple(content["prompt"]),
        end=content["end"],
        no_speech=content["no_speech"],
    )


def open_model(folder: Path | None) -> tuple[Path, ModelDescription]:
    """Checks a model's folder; None is the embedded model.

    Raises:
        ModelError: a file is missing or altered, or the model has another vocabulary or format.
    """
    folder = EMBEDDED if folder is None else folder
    path = folder / "model.json"
    cure = (
        "reinstall the package" if folder == EMBEDDED else "export the model again with ivr train"
    )
    if not path.is_file():
        raise ModelError(f"no model at {folder}: model.json is missing; {cure}")
    try:
        content = json.loads(path.read_text())
        if content["format"] != FORMAT:
            raise ModelError(
                f"{path} has format {content['format']}, this ivr reads {FORMAT}; {cure}"
            )
        if content["vocabulary"] != list(VOCABULARY):
            raise ModelError(
                f"{path} was trained with another vocabulary than this ivr has; {cure}"
            )
        description = ModelDescription(
            name=content["name"],
            n_mels=content["n_mels"],
            stack=content["stack"],
            level=content["level"],
            frame_ms=content["frame_ms"],
            max_columns=content["max_columns"],
            max_tokens=content["max_tokens"],
            decoding=Decoding(**content["decoding"]),
            sha256=dict(content["sha256"]),
            notes=content.get("notes", {}),
            shape=content.get("shape", {}),
            stock=_read_stock(content.get("stock")),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is not a model description ({error!r}); {cure}") from error
    for name in ("encoder.onnx", "decoder.onnx"):
        if not (folder / name).is_file():
            raise ModelError(f"the model at {folder} lacks {name}; {cure}")
        if sha256_of(folder / name) != description.sha256.get(name):
            raise ModelError(
                f"{folder / name} was altered: its SHA-256 is not model.json's; {cure}"
            )
    return folder, description
