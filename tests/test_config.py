"""The configuration: one list of keys, one message for every mistake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from ivr.config import Settings, known_keys, load_settings
from ivr.errors import ConfigError

EXAMPLE = Path(__file__).parents[1] / "config" / "ivr.example.yaml"
TOKEN = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.upper().startswith("IVR_"):
            monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = folder / "ivr.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistake(path: Path | None, overrides: dict[str, object] | None = None) -> str:
    """The message that a wrong configuration gives."""
    with pytest.raises(ConfigError) as caught:
        load_settings(path, overrides)
    return str(caught.value)


def test_defaults_need_no_file() -> None:
    """A server starts without any configuration."""
    settings = load_settings()
    assert settings.server.port == 8080
    assert settings.server.host == "127.0.0.1"
    assert settings.twilio.auth_token is None
    assert settings.flow == Path("config/flows/account_id.yaml")


def test_file_gives_values_and_leaves_the_rest(tmp_path: Path) -> None:
    """Keys of the file replace defaults; their neighbours stay."""
    settings = load_settings(write(tmp_path, "server:\n  port: 9000\nlog:\n  format: json\n"))
    assert settings.server.port == 9000
    assert settings.server.max_calls == 50
    assert settings.log.format == "json"


def test_empty_file_is_all_defaults(tmp_path: Path) -> None:
    """A file of comments only is a valid configuration."""
    settings = load_settings(write(tmp_path, "# nothing\n"))
    assert settings.model_dump() == load_settings().model_dump()


def test_environment_beats_file_and_command_line_beats_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearer to the person who starts the server, the stronger."""
    path = write(tmp_path, "server:\n  port: 9000\n  max_calls: 5\n  drain_s: 7\n")
    monkeypatch.setenv("IVR_SERVER__PORT", "9001")
    monkeypatch.setenv("IVR_SERVER__MAX_CALLS", "6")
    settings = load_settings(path, {"server": {"port": 9002}, "log": {"level": None}})
    assert settings.server.port == 9002
    assert settings.server.max_calls == 6
    assert settings.server.drain_s == 7
    assert settings.log.level == "info"


def test_config_variable_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """IVR_CONFIG stands in for --config."""
    monkeypatch.setenv("IVR_CONFIG", str(write(tmp_path, "server:\n  port: 9003\n")))
    assert load_settings().server.port == 9003


def test_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`IVR_SERVER__PORT=` in a compose file leaves the default."""
    monkeypatch.setenv("IVR_SERVER__PORT", "")
    assert load_settings().server.port == 8080


def test_paths_of_the_file_are_relative_to_it(tmp_path: Path) -> None:
    """A folder of configuration can be moved as a whole."""
    text = "flow: flows/a.yaml\nrecords:\n  path: /abs/calls.db\nprompts:\n  cache_dir: null\n"
    settings = load_settings(write(tmp_path, text))
    assert settings.flow == tmp_path / "flows/a.yaml"
    assert settings.records.path == Path("/abs/calls.db")
    assert settings.prompts.cache_dir is None


def test_paths_of_the_environment_are_relative_to_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user types in a shell means what it means there."""
    monkeypatch.setenv("IVR_FLOW", "my.yaml")
    assert load_settings(write(tmp_path, "log:\n  level: debug\n")).flow == Path("my.yaml")


def test_unknown_key_is_named_with_line_and_nearest(tmp_path: Path) -> None:
    """A misspelt key is an error that names it, its line and the cure."""
    path = write(tmp_path, "log:\n  level: info\nserver:\n  prot: 9000\n")
    assert mistake(path) == (f"{path}:4: unknown key 'server.prot'; did you mean 'server.port'?")


def test_unknown_section_is_named_once(tmp_path: Path) -> None:
    """A misspelt section is one mistake, not one for each key in it."""
    message = mistake(write(tmp_path, "servr:\n  port: 1\n  host: x\n"))
    assert message.count("\n") == 0
    assert "unknown key 'servr'" in message


def test_key_in_the_wrong_place_is_led_home(tmp_path: Path) -> None:
    """A right name in the wrong section gets the section told."""
    assert "did you mean 'server.port'?" in mistake(write(tmp_path, "port: 9000\n"))


def test_hopeless_key_lists_what_is_known(tmp_path: Path) -> None:
    """Where nothing is near, the sections are listed."""
    message = mistake(write(tmp_path, "zzzzqqqq: 1\n"))
    assert "known are" in message
    assert "recognizer" in message


def test_all_unknown_keys_are_told_at_once(tmp_path: Path) -> None:
    """Two mistakes need one run to be found."""
    lines = mistake(write(tmp_path, "log:\n  levle: info\nserver:\n  hots: x\n")).splitlines()
    assert len(lines) == 2


def test_wrong_value_is_named_with_its_line(tmp_path: Path) -> None:
    """A value of the wrong kind is led to its line."""
    path = write(tmp_path, "server:\n  host: 0.0.0.0\n  port: eighty\n")
    message = mistake(path)
    assert message.startswith(f"{path}:3: server.port: ")
    assert "integer" in message


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("server:\n  port: 70000\n", "server.port"),
        ("server:\n  drain_s: -1\n", "server.drain_s"),
        ("server:\n  drain_s: .nan\n", "server.drain_s"),
        ("server:\n  max_calls: 0\n", "server.max_calls"),
        ("server:\n  public_url: ivr.example.com\n", "public_url"),
        ("webhook:\n  secret: short\n", "webhook.secret"),
        ("server: 8080\n", "server"),
        ("log:\n  level: loud\n", "log.level"),
        ("prompts:\n  rate_wpm: 5\n", "prompts.rate_wpm"),
        ("recognizer:\n  workers: 1.5\n", "recognizer.workers"),
    ],
)
def test_values_out_of_range_are_refused(tmp_path: Path, text: str, key: str) -> None:
    """Every limit of a key holds, and the message names the key."""
    assert key in mistake(write(tmp_path, text))


def test_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value from the environment is led to its variable, not to the file."""
    monkeypatch.setenv("IVR_SERVER__PORT", "eighty")
    assert mistake(None).startswith("IVR_SERVER__PORT: server.port: ")


def test_wrong_option_is_named() -> None:
    """A wrong value from the command line says so."""
    assert mistake(None, {"server": {"port": -1}}).startswith("command line: server.port: ")


@pytest.mark.parametrize("variable", ["IVR_SERVER__PROT", "IVR_PROT", "ivr_servr__port"])
def test_unknown_variable_is_an_error(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """A misspelt IVR_ variable is named, whatever its depth."""
    monkeypatch.setenv(variable, "1")
    assert mistake(None).startswith(f"{variable}: unknown setting; ")


def test_other_programs_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only IVR_ is ours, and of it the tests' own variable is no setting."""
    monkeypatch.setenv("IVRY", "1")
    monkeypatch.setenv("SERVER__PORT", "1")
    monkeypatch.setenv("IVR_SPEECH_DATA", "/somewhere")
    assert load_settings().server.port == 8080


def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """A file that is not there is named, with the cure."""
    message = mistake(tmp_path / "none.yaml")
    assert "none.yaml" in message
    assert "--config" in message


@pytest.mark.parametrize(
    "text",
    [
        "server:\n  port: [1\n",
        "server: {port: 1\n",
        "a: b: c\n",
        "server:\n\tport: 1\n",
        "server: !!python/object:os.system {}\n",
        "flow: 2026-99-99\n",
        "&a [*a]: 1\n",
    ],
)
def test_broken_yaml_is_one_message_with_a_line(tmp_path: Path, text: str) -> None:
    """YAML that cannot be read gives file and line."""
    path = write(tmp_path, text)
    assert mistake(path).startswith(f"{path}:")


@pytest.mark.parametrize("text", ["- a\n", "just words\n", "8080\n"])
def test_file_must_be_a_mapping(tmp_path: Path, text: str) -> None:
    """A list or a word is no configuration."""
    assert "mapping" in mistake(write(tmp_path, text))


def test_binary_file_is_refused(tmp_path: Path) -> None:
    """A file that is not text is named, without a traceback."""
    path = tmp_path / "ivr.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    assert str(path) in mistake(path)


def test_directory_is_refused(tmp_path: Path) -> None:
    """A folder is not a file."""
    assert str(tmp_path) in mistake(tmp_path)


def test_key_given_twice_is_an_error(tmp_path: Path) -> None:
    """YAML would take the last one silently; we do not."""
    message = mistake(write(tmp_path, "server:\n  port: 1\n  port: 2\n"))
    assert "'server.port' is given twice, first in line 2" in message


def test_signature_needs_the_public_address(tmp_path: Path) -> None:
    """An auth token without the address that is signed could never accept a call."""
    path = write(tmp_path, "twilio:\n  auth_token: abc\n")
    message = mistake(path)
    assert message.startswith(f"{path}:2: ")
    assert "server.public_url" in message
    whole = write(tmp_path, "twilio:\n  auth_token: abc\nserver:\n  public_url: https://x.org\n")
    assert load_settings(whole).twilio.auth_token is not None


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """Neither a dump of the settings nor an error shows a secret."""
    path = write(tmp_path, f"webhook:\n  secret: {TOKEN}\n")
    assert TOKEN not in repr(load_settings(path))
    bad = write(tmp_path, "webhook:\n  secret: [hush-hush]\n")
    assert "hush-hush" not in mistake(bad)


def test_settings_cannot_be_changed() -> None:
    """What was loaded is what the server runs with."""
    with pytest.raises(ValueError, match="frozen"):
        load_settings().server.port = 1  # type: ignore[misc]


def test_every_key_is_described_with_its_unit() -> None:
    """Every key says what it means, and a number in what unit."""
    units = {"_s": "second", "_bytes": "bytes", "_wpm": "words a minute"}
    for key, description in known_keys().items():
        assert len(description) > 10, key
        for suffix, unit in units.items():
            if key.endswith(suffix):
                assert unit in description.lower(), key


def test_example_has_every_key_with_its_default() -> None:
    """The example file is complete, loads as it stands, and tells the defaults truly."""
    data = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    listed = {
        f"{section}.{key}" if isinstance(value, dict) else section
        for section, value in data.items()
        for key in (value if isinstance(value, dict) else [section])
    }
    assert listed == set(known_keys())
    loaded = load_settings(EXAMPLE).model_dump()
    defaults = Settings().model_dump()
    # Relative to the file there.
    paths = {"flow", "prompts.cache_dir", "records.audio_dir", "records.path"}
    for key in set(known_keys()) - paths:
        section, _, name = key.partition(".")
        if name:
            assert loaded[section][name] == defaults[section][name], key
        else:
            assert loaded[section] == defaults[section], key


def test_example_points_to_a_flow_that_exists() -> None:
    """A user who copies the example in place can start."""
    assert load_settings(EXAMPLE).flow.exists()
