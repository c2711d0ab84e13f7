"""Ages on the command line: ``30d``, ``12h``, ``90m``."""

from __future__ import annotations

import re
from typing import Final

from ivr.errors import ConfigError

_SECONDS: Final = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def parse_age(text: str) -> float:
    """An age in seconds: a whole number and its unit, m, h, d or w.

    Raises:
        ConfigError: not of that form.
    """
    found = re.fullmatch(r"(\d{1,6})([mhdw])", text.strip(), re.ASCII)
    if found is None:
        raise ConfigError(f"{text!r} is no age; write a number and m, h, d or w, such as 30d")
    return int(found[1]) * _SECONDS[found[2]]
