"""Reading a call-flow file: a flow that can be run, or one clear message.

Theory of operation: a file passes three gates, each of which may assume the ones before it. YAML
becomes data with line numbers (`ivr.flow.source`); pydantic models check each key on its own
(`ivr.flow.model`, with `ivr.flow.mistakes` for the words); `ivr.flow.check` checks the flow as a
graph. A mistake is reported with file, line, key path and cure. A `Flow` that comes out can be run
to its end by `ivr.flow.machine.Dialogue` without another check.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ivr.errors import FlowError
from ivr.flow.check import check_flow
from ivr.flow.mistakes import first_mistake
from ivr.flow.model import Flow
from ivr.flow.source import parse_yaml

_EMPTY: Final = (
    'is empty; write something after the colon, in "quotes" where it begins with #, or remove it'
)

__all__ = ["Flow", "load_flow", "parse_flow"]


def load_flow(path: str | Path) -> Flow:
    """Read and check a flow file.

    Raises:
        FlowError: the file cannot be read or is wrong; one line with file, line, key path and cure.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FlowError(
            f"{path}: cannot be read ({reason}); give the path of a flow file"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FlowError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from error
    return parse_flow(text, str(path))


def parse_flow(text: str, file: str = "flow") -> Flow:
    """Check a flow given as text.

    Args:
        text: YAML.
        file: what to call it in messages.

    Raises:
        FlowError: as `load_flow`.
    """
    source = parse_yaml(text, file)
    if not isinstance(source.data, dict):
        raise source.error((), 'a flow is made of keys and values; begin with "flow: a_name"')
    for empty in source.empty(source.data):
        if empty[0] != "variables":
            raise source.error(empty, _EMPTY)
    try:
        flow = Flow.model_validate(source.data)
    except ValidationError as error:
        raise first_mistake(source, error) from None
    check_flow(flow, source)
    return flow
