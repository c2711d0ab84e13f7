"""The server's settings: one file, the environment over it, every key documented, no key unknown.

Theory of operation: `Settings` is the whole list of keys, with the unit in the name and the meaning
in the description. Values come, weakest first, from the defaults, from one YAML file (`--config` or
IVR_CONFIG), from the environment (`IVR_SERVER__PORT=9000` is `server.port`) and from the command
line. A mistake in any of them is one `ConfigError` that lists each wrong key with its file and
line, or its variable, and the
cure: silence about a misspelt key would run a bank's server on a default nobody chose.

Paths in the file are relative to the file, so that a folder of configuration can be moved; paths in
the environment and on the command line are relative to the working directory, as a shell user
expects.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from ivr.config.settings import ENV_PREFIX, Settings
from ivr.errors import ConfigError

CONFIG_VARIABLE: Final = "IVR_CONFIG"
# Variables of ours that are no settings: the file's own name, the key that `ivr call` shows, and
# where the tests find recordings, and whether they may take long.
_NOT_SETTINGS: Final = frozenset({CONFIG_VARIABLE, "IVR_API_KEY", "IVR_SPEECH_DATA", "IVR_SLOW"})


def load_settings(path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings from file, environment and command line.

    Args:
        path: the YAML file; ``None`` takes the one IVR_CONFIG names, if any.
        overrides: nested values from the command line, strongest of all, such as
            ``{"server": {"port": 0}}``; ``None`` values in it mean "not given".

    Raises:
        ConfigError: the file is missing or no YAML, or keys or values are wrong; all of them are
            named, a line each.
    """
    if path is None and os.environ.get(CONFIG_VARIABLE):
        path = Path(os.environ[CONFIG_VARIABLE])
    file = _File.read(path) if path is not None else _File(None, {}, {})
    problems = [*file.problems(), *_unknown_variables()]
    if problems:
        raise ConfigError("\n".join(problems))
    try:
        settings = _merged(file.data, _given(overrides or {}))
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(error, file, overrides or {}))) from None
    if settings.twilio.auth_token is not None and settings.server.public_url is None:
        raise ConfigError(
            f"{file.place(('twilio', 'auth_token'))}: twilio.auth_token needs server.public_url: "
            "the signature covers the public address, e.g. https://ivr.example.com"
        )
    return settings


def known_keys() -> dict[str, str]:
    """Every key by its dotted name, with its description; sections are not listed."""
    return {".".join(path): text for path, text in _leaves(Settings, ())}


def _merged(file_data: dict[str, Any], overrides: dict[str, Any]) -> Settings:
    """Settings with the sources in order; pydantic-settings takes that from a class method."""

    class _Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - never read: no surprises
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (init_settings, env_settings, InitSettingsSource(settings_cls, file_data))

    return _Loaded(**overrides)


class _File:
    """The configuration file: its data, and the line of every key.

    Attributes:
        path: where it was read from; ``None`` without a file.
        data: as YAML has it, with relative paths made relative to the file.
        lines: 1-based line of each key path.
    """

    def __init__(
        self, path: Path | None, data: dict[str, Any], lines: dict[tuple[str, ...], int]
    ) -> None:
        self.path = path
        self.data = data
        self.lines = lines

    @classmethod
    def read(cls, path: Path) -> _File:
        try:
            text = path.read_text(encoding="utf-8")
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            data = yaml.safe_load(text)
        except FileNotFoundError:
            raise ConfigError(
                f"{path}: no such file; give another with --config, or copy "
                "config/ivr.example.yaml there"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: `2026-99-99`
            raise ConfigError(_explain_yaml(path, error)) from None
        if data is None:
            return cls(path, {}, {})
        if not isinstance(data, dict) or not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{path}:1: the file must be a mapping, such as `server:`")
        lines: dict[tuple[str, ...], int] = {}
        _note_lines(path, node, (), lines)
        return cls(path, _with_absolute_paths(data, path.parent), lines)

    def place(self, key: tuple[str, ...]) -> str:
        """Where a key's value came from: its variable, file and line, or the command line."""
        variable = ENV_PREFIX + "__".join(key).upper()
        if variable in {name.upper() for name in os.environ}:
            return variable
        while key and key not in self.lines:
            key = key[:-1]
        return f"{self.path}:{self.lines[key]}" if key else "command line"

    def problems(self) -> list[str]:
        """A line for every key of the file that is not known."""
        known = [path for path, _ in _leaves(Settings, ())]
        sections = {path[:depth] for path in known for depth in range(1, len(path))}
        return [
            f"{self.path}:{line}: unknown key {'.'.join(key)!r}; {_nearest(key, known)}"
            for key, line in self.lines.items()
            if key not in known
            and key not in sections
            # Under an unknown section, naming the section is enough.
            and (key[:-1] in sections or len(key) == 1)
        ]


def _leaves(
    model: type[BaseModel], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _leaves(kind, (*above, name))
        else:
            yield (*above, name), field.description or ""


def _is_path(key: tuple[str, ...]) -> bool:
    model: type[BaseModel] = Settings
    for name in key[:-1]:
        kind = model.model_fields[name].annotation if name in model.model_fields else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return False
        model = kind
    field = model.model_fields.get(key[-1])
    return field is not None and Path in (field.annotation, *get_args(field.annotation))


def _with_absolute_paths(
    data: dict[Any, Any], folder: Path, above: tuple[str, ...] = ()
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in data.items():
        key = (*above, str(name))
        if isinstance(value, dict):
            result[str(name)] = _with_absolute_paths(value, folder, key)
        elif isinstance(value, str) and _is_path(key):
            result[str(name)] = str(folder / Path(value).expanduser())
        else:
            result[str(name)] = value
    return result


def _note_lines(
    path: Path,
    node: yaml.MappingNode,
    above: tuple[str, ...],
    lines: dict[tuple[str, ...], int],
) -> None:
    for key_node, value_node in node.value:
        key = (*above, str(key_node.value))
        line = key_node.start_mark.line + 1
        if key in lines:
            raise ConfigError(
                f"{path}:{line}: {'.'.join(key)!r} is given twice, first in line {lines[key]}; "
                "remove one"
            )
        lines[key] = line
        if isinstance(value_node, yaml.MappingNode):
            _note_lines(path, value_node, key, lines)


def _nearest(key: tuple[str, ...], known: list[tuple[str, ...]]) -> str:
    dotted = [".".join(path) for path in known]
    near = difflib.get_close_matches(".".join(key), dotted, n=1, cutoff=0.6)
    # A right name in the wrong section is the other usual slip.
    near = near or [name for name in dotted if name.rpartition(".")[2] == key[-1]][:1]
    if near:
        return f"did you mean {near[0]!r}?"
    return "known are " + ", ".join(sorted({path[0] for path in known}))


def _unknown_variables() -> list[str]:
    known = [path for path, _ in _leaves(Settings, ())]
    names = {ENV_PREFIX + "__".join(path).upper(): path for path in known}
    sections = {ENV_PREFIX + path[0].upper() for path in known if len(path) > 1}
    problems = []
    for variable in sorted(os.environ):
        name = variable.upper()
        if not name.startswith(ENV_PREFIX) or name in _NOT_SETTINGS:
            continue
        if name not in names and name not in sections:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
            cure = f"did you mean {near[0]}?" if near else "unset it, or see `ivr serve --help`"
            problems.append(f"{variable}: unknown setting; {cure}")
    return problems


def _given(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides without their ``None`` values and the sections left empty by that."""
    result: dict[str, Any] = {}
    for name, value in overrides.items():
        inner = _given(value) if isinstance(value, Mapping) else value
        if inner is not None and inner != {}:
            result[name] = inner
    return result


def _explain(error: ValidationError, file: _File, overrides: Mapping[str, Any]) -> list[str]:
    """A line for each wrong value; the value itself may be a secret and is left out."""
    problems = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        key = tuple(str(part) for part in item["loc"])
        place = "command line" if _contains(overrides, key) else file.place(key)
        message = item["msg"][:1].lower() + item["msg"][1:]
        problems.append(f"{place}: {'.'.join(key)}: {message}")
    return problems


def _contains(overrides: Mapping[str, Any], key: tuple[str, ...]) -> bool:
    value: Any = overrides
    for name in key:
        if not isinstance(value, Mapping) or value.get(name) is None:
            return False
        value = value[name]
    return True


def _explain_yaml(path: Path, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    problem = getattr(error, "problem", None) or "not YAML"
    return f"{path}:{line}: not valid YAML: {problem}; check the indentation and the quotes"
