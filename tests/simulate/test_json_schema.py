"""The published JSON Schema of scripts: fresh, and of one mind with their reader."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from ivr.errors import ConfigError
from ivr.simulate.json_schema import script_schema, script_schema_text
from ivr.simulate.script_file import load_script
from tests.testing.stage import KEYED, SPOKEN

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(script_schema())
SOUND = [path.read_text() for path in sorted((ROOT / "config" / "demo").glob("*.call.yaml"))]
ALL_KEYS = """
description: All that can be said.
caller:
  {voice: en-gb+f2, rate_wpm: 150, pitch: 50, level_dbfs: -26, noise: {kind: babble, snr_db: 9}}
line: {loss: 0.1, loss_burst: 3, conceal: yes, band_hz: [300, 3400], gain_db: -6, echo_db: -30}
patience_s: 20
steps:
  - wait_prompt: {settle_s: 0.3}
  - {say: four, heard_as: five, heard_confidence: 0.5, for_s: 1.0, voice: en-us}
  - pause_s: 1
  - {keys: 0012, gap_s: 0.1}
  - barge_in: {after_s: 1, keys: 1}
  - barge_in: {after_s: 1, say: yes}
  - hang_up
  - drop_line
expect:
  outcome: done
  variables: {account: 12}
  says: Hello
  never_says: [error]
  ended_by: agent
  max_turns: 3
  max_duration_s: 30
  max_decision_ms: 900
  max_response_ms: 1500
  turns:
    - no-match
    - {cause: success, words: four, min_confidence: 0.5, says: number, max_decision_ms: 9}
"""
BROKEN = {
    "unknown key": "stpes: []\nsteps: [hang_up]",
    "no steps": "description: x",
    "empty steps": "steps: []",
    "unknown step": "steps: [sya]",
    "two verbs": "steps: [{say: x, keys: '1'}]",
    "unknown option": "steps: [{say: x, gap_s: 1}]",
    "loss of all": "line: {loss: 0.9}\nsteps: [hang_up]",
    "kind of noise": "caller: {noise: {kind: loud, snr_db: 3}}\nsteps: [hang_up]",
    "unknown cause": "steps: [hang_up]\nexpect: {turns: [maybe]}",
    "unknown expectation": "steps: [hang_up]\nexpect: {outcom: x}",
    "who ended it": "steps: [hang_up]\nexpect: {ended_by: nobody}",
    "barge_in without time": "steps: [{barge_in: {say: x}}]",
}


def test_it_is_a_schema() -> None:
    """By its own dialect's rules."""
    Draft202012Validator.check_schema(script_schema())


def test_the_published_file_is_fresh() -> None:
    """`ivr test --schema > config/call.schema.json` brings it up to date."""
    published = (ROOT / "config" / "call.schema.json").read_text(encoding="utf-8")
    assert published == script_schema_text()


@pytest.mark.parametrize("text", [*SOUND, SPOKEN, KEYED, ALL_KEYS])
def test_sound_scripts_are_valid(text: str, tmp_path: Path) -> None:
    """For an editor as for the reader."""
    (tmp_path / "flow.yaml").touch()
    text = text.replace("../flows/account_id.yaml", "flow.yaml")
    (tmp_path / "a.call.yaml").write_text(text)
    load_script(tmp_path / "a.call.yaml")
    assert [error.message for error in SCHEMA.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize("name", BROKEN)
def test_mistakes_are_seen_by_both(name: str, tmp_path: Path) -> None:
    """While they are typed, and with file and line when they are run."""
    (tmp_path / "a.call.yaml").write_text(BROKEN[name])
    assert not SCHEMA.is_valid(yaml.safe_load(BROKEN[name]))
    with pytest.raises(ConfigError, match=r"a\.call\.yaml:\d+: "):
        load_script(tmp_path / "a.call.yaml")


def test_every_key_is_explained() -> None:
    """An editor shows what a key means."""
    schema = script_schema()
    for model in (schema, *(schema["$defs"][name] for name in ("CallerVoice", "LineQuality"))):
        bare = [key for key, value in model["properties"].items() if not value.get("description")]
        assert bare == []
