"""Where the files are, and tools that may be installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def read_yaml(path: Path) -> Any:
    """A file of one YAML document."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def tool(name: str) -> str:
    """The path of a tool; the test is skipped where it is not installed."""
    # Some come with the test extras; Debian has servers where a user's path does not lead.
    elsewhere = f"{Path(sys.executable).parent}:/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=elsewhere) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(*command: str | Path, **options: Any) -> str:
    """Run a tool and return what it said; what it said is the message where it fails."""
    done = subprocess.run(  # noqa: S603 - tools and files of our own
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
