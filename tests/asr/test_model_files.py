"""The files of a model: complete, unaltered, of this version, or an error that says what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ivr.asr import model_files
from ivr.asr.model_files import (
    EMBEDDED,
    FORMAT,
    Decoding,
    StockPieces,
    open_model,
    sha256_of,
    write_description,
)
from ivr.asr.tokens import VOCABULARY
from ivr.errors import ModelError
from tests.asr.tiny import DESCRIPTION, make_model

CURE = "export the model again with ivr train"
MAX_EMBEDDED_BYTES = 10_000_000


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edits model.json."""
    path = folder / "model.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def refusal(folder: Path) -> str:
    """The message with which the folder is refused."""
    with pytest.raises(ModelError) as caught:
        open_model(folder)
    return str(caught.value)


def test_what_was_written_is_read(model: Path) -> None:
    """The description comes back as it was, digests added."""
    folder, description = open_model(model)
    assert folder == model
    assert description.name == "tiny"
    assert (description.n_mels, description.stack, description.level) == (80, 2, False)
    assert (description.max_columns, description.max_tokens) == (500, 16)
    assert description.sha256 == {
        name: sha256_of(model / name) for name in ("encoder.onnx", "decoder.onnx")
    }


def test_decoding_and_notes_are_kept(tmp_path: Path) -> None:
    """The constants that belong to the weights travel with them."""
    decoding = Decoding(beam=3, ctc_weight=0.25, confidence_offset=-1.5)
    folder = make_model(tmp_path / "m", decoding=decoding, notes={"step": 7})
    _, description = open_model(folder)
    assert description.decoding == decoding
    assert description.notes == {"step": 7}


def test_notes_may_be_absent(model: Path) -> None:
    """Nothing depends on them."""
    change(model, lambda content: content.pop("notes"))
    assert open_model(model)[1].notes == {}


def test_stock_pieces_and_shape_are_kept(tmp_path: Path) -> None:
    """What makes a stock model one, and what the benchmark rebuilds a network from."""
    pieces = StockPieces(("", " four", ","), prompt=(0,), end=0, no_speech=0)
    folder = make_model(tmp_path / "m", stock=pieces, shape={"d_model": 8})
    _, description = open_model(folder)
    assert description.stock == pieces
    assert description.shape == {"d_model": 8}


def test_numeric_models_have_no_stock_pieces(model: Path) -> None:
    """Nor need they say so, or tell their shape: older ones do not."""
    change(model, lambda content: (content.pop("stock"), content.pop("shape")))
    _, description = open_model(model)
    assert description.stock is None
    assert description.shape == {}


def test_broken_stock_pieces_are_refused(tmp_path: Path) -> None:
    """Half of them is no description."""
    pieces = StockPieces(("", " four"), prompt=(0,), end=0, no_speech=0)
    folder = make_model(tmp_path / "m", stock=pieces)
    change(folder, lambda content: content["stock"].pop("prompt"))
    assert "is not a model description" in refusal(folder)


def test_missing_folder_is_named_with_the_cure(tmp_path: Path) -> None:
    """A wrong path in the configuration is told as such."""
    message = refusal(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in message
    assert "model.json is missing" in message
    assert CURE in message


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """The path of a weights file is refused, not opened."""
    path = tmp_path / "weights.onnx"
    path.write_bytes(b"x")
    assert "model.json is missing" in refusal(path)


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx"])
def test_missing_part_is_named(model: Path, name: str) -> None:
    """A copy that was cut short says which file it lacks."""
    (model / name).unlink()
    message = refusal(model)
    assert f"lacks {name}" in message
    assert CURE in message


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx"])
def test_one_flipped_bit_is_noticed(model: Path, name: str) -> None:
    """Altered weights are not run."""
    content = bytearray((model / name).read_bytes())
    content[len(content) // 2] ^= 1
    (model / name).write_bytes(content)
    message = refusal(model)
    assert str(model / name) in message
    assert "was altered" in message
    assert CURE in message


def test_swapped_parts_are_noticed(model: Path) -> None:
    """The digest belongs to the name."""
    (model / "encoder.onnx").rename(model / "x")
    (model / "decoder.onnx").rename(model / "encoder.onnx")
    (model / "x").rename(model / "decoder.onnx")
    assert "was altered" in refusal(model)


def test_other_format_is_named(model: Path) -> None:
    """A model of a later version says so."""
    change(model, lambda content: content.update(format=FORMAT + 1))
    message = refusal(model)
    assert f"has format {FORMAT + 1}, this ivr reads {FORMAT}" in message
    assert str(model / "model.json") in message
    assert CURE in message


@pytest.mark.parametrize(
    "words",
    [
        list(VOCABULARY[:-1]),
        [*VOCABULARY, "plus"],
        [*VOCABULARY[:4], *reversed(VOCABULARY[4:])],
    ],
    ids=["shorter", "longer", "in another order"],
)
def test_other_vocabulary_is_refused(model: Path, words: list[str]) -> None:
    """A model that means other words by the same numbers would answer wrongly, and surely."""
    change(model, lambda content: content.update(vocabulary=words))
    message = refusal(model)
    assert "another vocabulary" in message
    assert CURE in message


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "7", '{"format": 1}', "\x00\x01"], ids=repr
)
def test_garbage_is_no_description(model: Path, text: str) -> None:
    """Whatever stands in model.json, it is a ModelError that names the file."""
    (model / "model.json").write_text(text)
    message = refusal(model)
    assert str(model / "model.json") in message
    assert CURE in message


def test_binary_is_no_description(model: Path) -> None:
    """Not even UTF-8."""
    shutil.copy(model / "encoder.onnx", model / "model.json")
    assert "is not a model description" in refusal(model)


@pytest.mark.parametrize(
    "key", ["name", "n_mels", "stack", "level", "frame_ms", "max_columns", "decoding"]
)
def test_missing_key_is_named(model: Path, key: str) -> None:
    """A description of an older shape says what it lacks."""
    change(model, lambda content: content.pop(key))
    message = refusal(model)
    assert "is not a model description" in message
    assert key in message


def test_unknown_constant_of_decoding_is_refused(model: Path) -> None:
    """A constant that this version would ignore is not ignored."""
    change(model, lambda content: content["decoding"].update(length_bonus=1.0))
    assert "length_bonus" in refusal(model)


@pytest.mark.parametrize("digests", [None, 7, "abc"], ids=repr)
def test_digests_of_the_wrong_kind_are_refused(model: Path, digests: object) -> None:
    """A description without a table of digests is none."""
    change(model, lambda content: content.update(sha256=digests))
    assert "is not a model description" in refusal(model)


def test_absent_digest_does_not_pass(model: Path) -> None:
    """A file that the description does not vouch for is as good as altered."""
    change(model, lambda content: content.update(sha256={}))
    assert "was altered" in refusal(model)


def test_unreadable_description_is_a_model_error(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that the server's user may not read is told as the rest is."""

    def denied(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", denied)
    assert "Permission denied" in refusal(model)


def test_embedded_model_has_its_own_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has the package's own model broken cannot train it again."""
    monkeypatch.setattr(model_files, "EMBEDDED", tmp_path / "embedded")
    with pytest.raises(ModelError, match="reinstall the package"):
        open_model(None)


def test_write_description_renews_the_digests(model: Path) -> None:
    """After an export over an old one the folder is whole again."""
    shutil.copy(model / "encoder.onnx", model / "decoder.onnx")
    write_description(model, DESCRIPTION)
    assert open_model(model)[1].sha256["decoder.onnx"] == sha256_of(model / "encoder.onnx")


def test_embedded_model_is_whole() -> None:
    """The package ships a model that fits it, 10 MB at most."""
    folder, description = open_model(None)
    assert folder == EMBEDDED
    assert set(description.sha256) == {"encoder.onnx", "decoder.onnx"}
    size = sum((folder / name).stat().st_size for name in description.sha256)
    assert size <= MAX_EMBEDDED_BYTES
