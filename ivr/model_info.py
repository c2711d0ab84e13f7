"""`ivr model info`: what a model is, that its files are whole, and its card."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from ivr.asr.model_files import ModelDescription, open_model
from ivr.audio.mel import HOP_SAMPLES

CARD = "README.md"
CARD_TITLE = "# Model card"
SAMPLES_PER_MS = 16  # of the model's input


def find_card(folder: Path) -> Path | None:
    """The model's card: the README beside its files or in the folder above; None if there is none.

    A README that is something else than a model's card is passed over: above a model that was
    just trained lies whatever lies there.
    """
    for path in (folder / CARD, folder.resolve().parent / CARD):
        try:
            if path.read_text(encoding="utf-8").startswith(CARD_TITLE):
                return path
        except (OSError, UnicodeDecodeError):
            continue
    return None


def describe(folder: Path | None) -> dict[str, Any]:
    """What `ivr model info --json` prints.

    Args:
        folder: the model's folder; None for the embedded model.

    Raises:
        ModelError: a file is missing or altered, or the model is of another kind.
    """
    folder, description = open_model(folder)
    content = description.as_dict()
    stock = content.get("stock")
    card = find_card(folder)
    return {
        "name": description.name,
        "folder": str(folder),
        "kind": "numeric" if stock is None else "stock",
        "format": content["format"],
        "files": {
            # open_model has compared the digests with the files.
            name: {"bytes": (folder / name).stat().st_size, "sha256": digest}
            for name, digest in sorted(description.sha256.items())
        },
        "vocabulary": len(content["vocabulary"]) if stock is None else len(stock["texts"]),
        "frame_ms": description.frame_ms,
        "longest_s": _longest_s(description),
        "max_tokens": description.max_tokens,
        "decoding": content["decoding"],
        "notes": description.notes,
        "shape": description.shape,
        "card": None if card is None else card.read_text(encoding="utf-8"),
    }


def _longest_s(description: ModelDescription) -> float:
    return description.max_columns * description.stack * HOP_SAMPLES / SAMPLES_PER_MS / 1000


def run_model_info(
    folder: Path | None, *, json_output: bool, console: Console | None = None
) -> int:
    """Prints what a model is; exit status 0.

    Raises:
        ModelError: a file is missing or altered, or the model is of another kind.
    """
    content = describe(folder)
    if json_output:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        return 0
    console = console or Console()
    console.print(_table(content))
    if content["card"] is None:
        console.print("no model card lies beside this model or above it", style="yellow")
    else:
        console.print()
        console.print(Markdown(content["card"]))
    return 0


def _table(content: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    stock = content["kind"] == "stock"
    rows = [
        ("model", content["name"] + (", a stock checkpoint as it was published" if stock else "")),
        ("folder", content["folder"]),
        ("format", str(content["format"])),
        *(
            (name, f"{file['bytes'] / 1e6:.2f} MB, verified by its SHA-256\n{file['sha256']}")
            for name, file in content["files"].items()
        ),
        ("vocabulary", f"{content['vocabulary']} {'pieces of text' if stock else 'entries'}"),
        ("frame", f"{content['frame_ms']} ms"),
        ("longest input", f"{content['longest_s']:g} s, {content['max_tokens']} tokens"),
        ("decoding", _pairs(content["decoding"])),
        ("training notes", _pairs(content["notes"]) or "none"),
    ]
    if content["shape"]:
        rows.append(("shape", _pairs(content["shape"])))
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
