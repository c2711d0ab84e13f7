"""The rules of the repository: who may import whom, and what the core never touches.

The import table is the architecture: `call.py` composes the core, the rooms around it (server,
simulate, train, records, cli) touch the world, and no room reaches into its neighbour's.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from ivr.config import known_keys

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ivr"
EXAMPLE = ROOT / "config" / "ivr.example.yaml"

# Room -> what it may import from `ivr`. A room is a module or folder of the package; `flow.model`
# is named apart where it has rules of its own.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "recognition": set(),
    "audio": {"errors"},
    "endpointing": {"errors"},
    "providers": {"errors"},
    "tables": set(),
    "config": {"errors", "tables"},
    "grammar": {"recognition", "errors"},
    "flow": {"grammar", "recognition", "errors"},
    # At the edge: it renders speech to samples, and the core never imports it.
    "prompts": {"flow", "audio", "config", "errors"},
    "actions": {"endpointing", "flow", "recognition"},
    "strings": {"grammar", "recognition"},
    "slot": {"strings", "grammar", "recognition"},
    "typeahead": {"slot"},
    "question": {"slot", "strings", "grammar", "flow", "recognition"},
    "playout": {"actions", "flow"},
    "errand": {"actions", "collection", "flow", "errors"},
    "message": {"actions", "collection", "flow"},
    "aside": {"actions", "collection", "ear", "errand", "flow", "message", "playout"},
    "rhythm": set(),
    "patience": {"recognition", "rhythm"},
    "echo": {"flow", "grammar", "recognition"},
    "limits": {"flow", "grammar", "question", "recognition", "rhythm"},
    "collection": {
        *("actions", "echo", "limits", "patience", "question", "slot", "typeahead", "grammar"),
        *("flow", "recognition", "errors"),
    },
    "ear": {"audio", "endpointing"},
    "call": {
        *("actions", "aside", "audio", "collection", "ear", "endpointing", "errand", "flow"),
        "grammar",
        *("playout", "providers", "question", "recognition", "typeahead", "errors"),
    },
    # What a capture of a call holds: the server writes it, a replay reads it.
    "capture": {"actions", "endpointing", "flow", "recognition", "errors"},
    # A process that works for this one.
    "worker": set(),
    "asr": {"audio", "grammar", "recognition", "worker", "errors"},
    # The live path over a recording: cut into utterances, and what they amount to.
    "line": {"audio", "endpointing"},
    "heard": {"endpointing", "grammar", "line", "recognition"},
    "hearing": {
        *("asr", "audio", "endpointing", "grammar", "heard", "line", "recognition", "errors"),
    },
    # A recording through a whole call: it composes what a server does.
    "replay": {
        *("actions", "audio", "call", "ear", "endpointing", "flow", "grammar", "providers"),
        *("recognition", "errors"),
    },
    # A call as text: the dialogue and the judging of answers, without audio and time.
    "rehearsal": {"collection", "flow", "grammar", "question", "recognition"},
    "transcribe": {"heard", "hearing", "asr", "grammar", "flow.model", "recognition", "errors"},
    "model_info": {"asr", "audio", "errors"},
    # Evaluation sends every file through the live path: the endpointer as in a call, and the
    # flows' default confidence level.
    "train": {
        *("asr", "audio", "grammar", "config", "endpointing", "flow.model"),
        *("heard", "hearing", "line", "recognition", "replay", "errors"),
    },
    # A script expects causes and modes of answers by the names that the server's record has.
    "simulate": {"providers", "audio", "recognition", "errors"},
    # HTTP whose addresses are looked at where they are connected to.
    "guarded": set(),
    # What flows ask of other systems.
    "lookups": {"flow", "config", "guarded", "errors"},
    # It turns the audio of recordings into WAV.
    "records": {"audio", "config", "errors"},
    # It loads the flow, renders its prompts and encodes them for the wire.
    "server": {
        *("actions", "call", "asr", "providers", "records", "config", "errors"),
        *("audio", "capture", "endpointing", "flow", "prompts", "grammar", "heard", "line"),
        *("guarded", "lookups"),
        *("recognition", "worker"),
    },
    # Simulated calls to a server of its own: it puts both ends together.
    "testing": {
        *("actions", "asr", "audio", "call", "capture", "config", "flow", "providers"),
        *("prompts", "recognition", "records", "rehearsal", "server", "simulate", "errors"),
    },
    # It times every stage, so it calls every stage.
    "bench": {"asr", "audio", "endpointing", "grammar", "recognition", "errors"},
}
ALL = {
    "cli",
    "__main__",
    "__init__",
}  # may import everything, and nothing else may import what follows
EDGE = {"server", "simulate", "testing", "train", "bench", "transcribe", "model_info", "cli"}

CORE = {
    *("audio", "endpointing", "grammar", "flow", "providers"),
    *("actions", "call", "collection", "playout", "slot", "strings", "typeahead", "recognition"),
    *(
        "aside",
        "ear",
        "echo",
        "errand",
        "errors",
        "heard",
        "limits",
        "line",
        "message",
        "patience",
        "question",
    ),
    *("rehearsal", "rhythm"),
}
# What reads a clock, opens a socket, draws lots or knows an event loop.
WORLD = {
    *("asyncio", "time", "datetime", "random", "secrets", "socket", "selectors", "ssl", "sched"),
    *("http", "urllib", "subprocess", "multiprocessing", "concurrent", "logging", "sqlite3"),
    *("aiohttp", "websockets", "structlog", "onnxruntime", "torch", "transformers"),
    *("sqlalchemy", "alembic", "aiosqlite", "asyncpg", "cryptography"),
}
# What is installed with the train extras only.
TRAINING = {"torch", "transformers", "librosa", "scipy", "onnx", "torchaudio"}
ROOMS_WITHOUT_TRAINING = {
    *(CORE | ALL),
    *(
        "asr",
        "server",
        "prompts",
        "records",
        "lookups",
        "simulate",
        "config",
        "bench",
        "hearing",
        "transcribe",
    ),
    *("capture", "guarded", "model_info", "replay", "tables", "testing", "worker"),
}


@lru_cache
def modules() -> list[Path]:
    """Every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """``flow.prompts`` for ``ivr/flow/prompts.py``; ``flow`` for its ``__init__``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


@lru_cache
def module_names() -> frozenset[str]:
    """The names of all modules."""
    return frozenset(name_of(path) for path in modules())


def room_of(module: str) -> str:
    """The entry of the table that rules a module."""
    return module if module in MAY_IMPORT else module.partition(".")[0]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the import in full"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def internal(path: Path) -> Iterator[tuple[int, str]]:
    """Line and module of everything that a module imports from the package, ``ivr.`` left off."""
    for line, name in imports(path):
        if name.partition(".")[0] != "ivr":
            continue
        target = name.partition(".")[2]
        while target and target not in module_names():
            target = target.rpartition(".")[0]  # from the name in a module to the module
        if target:
            yield line, target


def allowed(room: str, target: str) -> bool:
    """Whether a room may import a module."""
    ruled = room_of(target)
    return room in ALL or ruled == room or bool({ruled, target} & MAY_IMPORT[room])


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_module_imports_only_what_its_room_may(path: Path) -> None:
    """The table of the rooms holds, for imports inside functions too."""
    module = name_of(path)
    room = room_of(module)
    assert room in MAY_IMPORT.keys() | ALL, f"{module}: which room is this? add it to the table"
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {room} may not import ivr.{target}"
        for line, target in internal(path)
        if not allowed(room, target)
    ]
    assert not wrong, "\n".join(wrong)


def test_rules_catch_what_they_forbid() -> None:
    """The table is read as it is meant."""
    assert allowed("flow", "flow.machine")
    assert not allowed("flow", "prompts.store")
    assert allowed("prompts", "flow.machine")
    assert allowed("prompts", "audio.espeak")
    assert not allowed("flow", "audio.espeak")
    assert allowed("train", "flow.model")
    assert not allowed("train", "flow.machine")
    assert not allowed("simulate", "flow.schema")
    assert not allowed("simulate", "server.app")
    assert not allowed("call", "asr.engine")
    assert not allowed("call", "prompts.store")
    assert not allowed("asr", "train.network")
    assert not allowed("server", "simulate.phone")
    assert allowed("server", "prompts.store")
    assert allowed("cli", "train.command")


def test_table_has_no_room_that_is_gone() -> None:
    """A rule for nothing would look like a rule."""
    existing = module_names() | {name.partition(".")[0] for name in module_names()}
    named = set(MAY_IMPORT).union(*MAY_IMPORT.values())
    assert named <= existing


def test_only_cli_imports_the_edge() -> None:
    """Server, simulator, training, bench and command line are ends: only tests join two of them."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports ivr.{target}"
        for path in modules()
        for line, target in internal(path)
        if target.partition(".")[0] in EDGE
        and target.partition(".")[0] != name_of(path).partition(".")[0]
        and name_of(path).partition(".")[0] not in {*ALL, "testing"}
    ]
    assert not wrong, "\n".join(wrong)


def core_modules() -> list[Path]:
    """The modules that decide."""
    return [path for path in modules() if name_of(path).partition(".")[0] in CORE]


@pytest.mark.parametrize("path", core_modules(), ids=name_of)
def test_core_does_not_touch_the_world(path: Path) -> None:
    """No clock, no socket, no lots, no event loop: events in, actions out."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: the core may not import {name}"
        for line, name in imports(path)
        if name.partition(".")[0] in WORLD
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", core_modules(), ids=name_of)
def test_core_draws_no_lots(path: Path) -> None:
    """Nor by way of numpy: the same call gives the same actions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "random"
        and isinstance(node.value, ast.Name)
        and node.value.id in {"np", "numpy"}
    ]
    assert not lines, f"{path.relative_to(ROOT)}: np.random at {lines}"


@pytest.mark.parametrize(
    "path",
    [p for p in modules() if name_of(p).partition(".")[0] in ROOMS_WITHOUT_TRAINING],
    ids=name_of,
)
def test_serving_needs_no_training_package(path: Path) -> None:
    """Who installs the package without extras can serve, place calls and evaluate."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name} comes with the train extras"
        for line, name in imports(path)
        if name.partition(".")[0] in TRAINING
    ]
    assert not wrong, "\n".join(wrong)


def test_only_records_and_lookups_know_of_databases() -> None:
    """What a database is called, and how its errors look, stays in the rooms that use one."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules()
        if name_of(path).partition(".")[0] not in ("records", "lookups")
        for line, name in imports(path)
        if name.partition(".")[0] in {"sqlalchemy", "alembic", "aiosqlite", "asyncpg"}
    ]
    assert not wrong, "\n".join(wrong)


def test_every_module_says_what_it_is() -> None:
    """Each module opens with a docstring."""
    silent = [
        name_of(path)
        for path in modules()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


# -- the example configuration ---------------------------------------------------------------------

_KEY = re.compile(r"^(?P<indent> *)(?P<key>[a-z_]+):(?P<value>[^#]*)(?P<comment>#.*)?$")


def documented_keys() -> dict[str, str]:
    """Every key of the example by its dotted name, with the comment beside it."""
    keys: dict[str, str] = {}
    section = ""
    for number, line in enumerate(EXAMPLE.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _KEY.match(line)
        assert found, f"{EXAMPLE.name}:{number}: one key a line, please"
        if found["indent"]:
            keys[f"{section}.{found['key']}"] = found["comment"] or ""
        elif found["value"].strip():
            keys[found["key"]] = found["comment"] or ""
        else:
            section = found["key"]
    return keys


def test_every_config_key_is_in_the_example() -> None:
    """What can be configured is shown, and what is shown can be configured."""
    assert set(documented_keys()) == set(known_keys())


def test_every_config_key_is_explained_in_the_example() -> None:
    """Each key has a comment of some words beside it."""
    bare = [key for key, text in documented_keys().items() if len(text.lstrip("# ").split()) < 2]
    assert not bare


@pytest.mark.parametrize(
    ("suffix", "unit"),
    [("_s", "second"), ("_ms", "millisecond"), ("_bytes", "bytes"), ("_wpm", "words a minute")],
)
def test_numbers_of_the_example_have_their_unit(suffix: str, unit: str) -> None:
    """A reader of the example does not have to guess."""
    for key, text in documented_keys().items():
        if key.endswith(suffix):
            assert unit in text, key


def test_the_command_line_is_light() -> None:
    """Each recogniser process imports it on its way, so what it drags in costs memory there."""
    code = "import sys, ivr.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"numpy", "onnxruntime", "pydantic", "sqlalchemy", "aiohttp", "yaml", "jinja2"}
    assert not heavy & set(done.stdout.split())
