"""The published JSON Schema: fresh, and of one mind with the reader of flow files."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from ivr.errors import FlowError
from ivr.flow.json_schema import flow_schema, flow_schema_text
from ivr.flow.source import parse_yaml

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"
SOUND = sorted([*(ROOT / "config" / "flows").glob("*.yaml"), *(DATA / "flows").glob("*.yaml")])
SCHEMA = Draft202012Validator(flow_schema())
# Mistakes in one place, of a kind that JSON Schema can see.
SEEN = """
    attempts_is_half bad_step_name boolean_of_yaml_1_1 branch_above_text branch_in_number branch_key
    branch_no_else branch_nothing confidence_in_percent empty_text key_of_another_step menu_empty
    menu_list menu_word missing_next missing_prompt missing_start missing_steps no_steps
    number_for_text recording_with_a_folder set_nothing set_number star_word step_is_empty
    step_is_text steps_is_a_list store_word term_char_word text_for_list timeout_is_text
    timeout_is_zero two_kinds unknown_key unknown_key_of_a_text unknown_key_of_defaults
    unknown_key_of_the_flow
""".split()  # noqa: SIM905 - a list would be a page long


def data_of(path: Path) -> object:
    """What the file says."""
    return parse_yaml(path.read_text(encoding="utf-8"), path.name).data


def test_it_is_a_schema() -> None:
    """By its own dialect's rules."""
    Draft202012Validator.check_schema(flow_schema())


def test_the_published_file_is_fresh() -> None:
    """`ivr flow schema > config/flow.schema.json` brings it up to date."""
    assert (ROOT / "config" / "flow.schema.json").read_text(encoding="utf-8") == flow_schema_text()


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.stem)
def test_sound_flows_are_valid(path: Path) -> None:
    """An editor shows no mistake where there is none."""
    assert [error.message for error in SCHEMA.iter_errors(data_of(path))] == []


@pytest.mark.parametrize("name", SEEN)
def test_mistakes_in_one_place_are_seen(name: str) -> None:
    """While they are typed."""
    assert not SCHEMA.is_valid(data_of(DATA / "broken" / f"{name}.yaml"))


def test_what_the_schema_refuses_the_reader_refuses() -> None:
    """Never the other way round, so an editor that is content proves nothing; a reader does."""
    seen = 0
    for path in (DATA / "broken").glob("*.yaml"):
        try:
            data = data_of(path)
        except (FlowError, UnicodeDecodeError):
            continue
        seen += not SCHEMA.is_valid(data)
    assert seen >= len(SEEN)
