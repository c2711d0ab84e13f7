"""The registry of flows: what it reads, what it refuses at the start and survives later."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ivr.config import Settings
from ivr.errors import AudioError, ConfigError, FlowError
from ivr.flow.schema import Flow
from ivr.server.flows import FlowFiles, Flows

FLOW = """
flow: {name}
start: bye
steps:
  bye:
    end: completed
    say: {say}
"""
CALLED = """
flow: ask
start: ask
variables: {{length: null}}
lists: {{accounts: {list}}}
steps:
  ask:
    capture: account
    grammar: builtin:digits?list=accounts
    prompt: Your number.
    attempts: 1
    on_failure: done
    next: done
  done:
    end: done
"""
CALLING = """
flow: caller
start: ask
steps:
  ask:
    subflow: parts/ask.yaml
    arguments: {length: "8"}
    ends: {done: bye}
  bye:
    end: completed
"""


class Folder:
    """Flow files that a test writes, and what reads them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warmed: list[str] = []
        self.unreadable: set[str] = set()
        self._ticks = 0
        self.write("a.yaml")
        self.files = self.reader()

    def reader(self, **settings: Any) -> FlowFiles:
        """A reader of the folder, `a.yaml` the default."""
        given = {"flow": self.path / "a.yaml", "flows_dir": self.path, **settings}
        return FlowFiles(Settings.model_validate(given), self._warm)

    def write(self, file: str, say: str = "Goodbye.", name: str | None = None) -> Path:
        """A flow that says one thing, called like its file."""
        return self.put(file, FLOW.format(name=name or Path(file).stem, say=say))

    def put(self, file: str, text: str) -> Path:
        """A file, with a time of its own: two writes may fall into one tick of the disk's clock."""
        path = self.path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        self._ticks += 1
        os.utime(path, (self._ticks, self._ticks))
        return path

    def _warm(self, flow: Flow) -> None:
        self.warmed.append(flow.flow)
        if flow.flow in self.unreadable:
            raise AudioError("greet.wav: cannot be decoded")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with one flow in it."""
    return Folder(tmp_path)


def said(flows: Flows, name: str) -> str:
    """What a flow of the test says."""
    flow = flows.get(name)
    assert flow is not None
    return str(flow.steps["bye"].say.text)  # type: ignore[union-attr]


def test_folder_is_read_beside_the_default(folder: Folder) -> None:
    """Every flow of the folder answers by its own name; scripts and subfolders are none."""
    folder.write("b.yaml", name="second")
    folder.put("b.call.yaml", "steps: []")
    folder.put("parts/c.yaml", "no flow")
    flows = Flows(folder.files.load())
    assert flows.names() == ("a", "second")
    assert flows.default.name == "a"
    assert flows.served(None) is flows.served("a")
    assert flows.served("third") is None
    assert flows.get("third") is None
    assert sorted(folder.warmed) == ["a", "second"]


def test_one_flow_needs_no_folder(folder: Folder) -> None:
    """Without a folder there is the default alone."""
    folder.write("b.yaml")
    assert Flows(folder.reader(flows_dir=None).load()).names() == ("a",)


def test_flow_that_wants_values_answers_no_call(folder: Folder) -> None:
    """A flow that others call may stand in the folder, but is not answered with."""
    folder.put("accounts.txt", "4155\n")
    folder.put("ask.yaml", CALLED.format(list="accounts.txt"))
    assert Flows(folder.files.load()).names() == ("a",)


def test_mistakes_are_told_at_the_start(folder: Folder) -> None:
    """A wrong file, a second flow of a name, a folder that is none, a broken recording."""
    with pytest.raises(ConfigError, match="flows_dir"):
        folder.reader(flows_dir=folder.path / "none").load()
    folder.unreadable = {"a"}
    with pytest.raises(AudioError):
        folder.files.load()
    folder.unreadable = set()
    twin = folder.write("b.yaml", name="a")
    with pytest.raises(FlowError, match=r'b\.yaml: .*a\.yaml is called "a" as well'):
        folder.files.load()
    twin.write_text("flow: x\nstrat: y\n")
    with pytest.raises(FlowError, match=r"b\.yaml:2"):
        folder.files.load()


def test_reload_swaps_what_changed_and_nothing_else(folder: Folder) -> None:
    """A changed flow is another object, warmed first; the others are the very same."""
    folder.write("b.yaml")
    flows = Flows(folder.files.load())
    before = {name: flows.served(name) for name in flows.names()}
    folder.warmed.clear()
    folder.write("a.yaml", "See you.")
    folder.write("c.yaml")
    assert flows.swap(folder.files.reload()) == ("a", "c")
    assert flows.served("b") is before["b"]
    assert said(flows, "a") == "See you."
    assert before["a"] is not None
    assert before["a"].version != flows.default.version
    assert folder.warmed == ["a", "c"]
    (folder.path / "c.yaml").unlink()
    assert flows.swap(folder.files.reload()) == ("c",)
    assert flows.names() == ("a", "b")


def test_comment_is_no_change(folder: Folder) -> None:
    """What makes no difference to a call makes no new version."""
    flows = Flows(folder.files.load())
    path = folder.path / "a.yaml"
    folder.put("a.yaml", "# a word\n" + path.read_text())
    assert flows.swap(folder.files.reload()) == ()


@pytest.mark.parametrize("what", ["wrong", "gone", "recording", "key", "twin"])
def test_broken_file_keeps_the_version_before(folder: Folder, what: str) -> None:
    """Whatever is wrong, the flow that was there goes on, and the mistake is told by file."""
    folder.write("b.yaml")
    flows = Flows(folder.files.load())
    if what == "wrong":
        folder.put("a.yaml", "flow: a\nstrat: bye\n")
    elif what == "gone":
        (folder.path / "a.yaml").unlink()
    elif what == "recording":
        folder.write("a.yaml", "See you.")
        folder.unreadable = {"a"}
    elif what == "key":
        kept = CALLED.replace("{length: null}", "{}").replace(
            "capture:", "store: hash\n    capture:"
        )
        folder.put("accounts.txt", "4155\n")
        folder.put("a.yaml", kept.format(list="accounts.txt"))
    else:
        folder.write("a.yaml", name="a")
        folder.write("b.yaml", name="a")
    before = flows.get("a")
    assert flows.swap(folder.files.reload()) == ()
    assert flows.get("a") is before
    assert said(flows, "b") == "Goodbye."
    (file,) = flows.broken
    assert file == ("b.yaml" if what == "twin" else "a.yaml")
    folder.unreadable = set()
    folder.write("a.yaml", "Mended.")
    folder.write("b.yaml")
    flows.swap(folder.files.reload())
    assert not flows.broken
    assert said(flows, "a") == "Mended."


def test_files_are_taken_up_when_they_rest(folder: Folder) -> None:
    """A file that changes from look to look is still being written."""
    files = folder.files
    files.load()
    assert not files.changed()
    folder.write("a.yaml", "Half")
    assert not files.changed()
    folder.write("a.yaml", "Half and half.")
    assert not files.changed()
    assert files.changed()
    files.reload()
    assert not files.changed()


def test_called_flows_and_lists_are_watched(folder: Folder) -> None:
    """A flow is made of more than its file, and any of it makes a new version."""
    folder.put("accounts.txt", "4155\n")
    folder.put("parts/ask.yaml", CALLED.format(list="../accounts.txt"))
    folder.put("caller.yaml", CALLING)
    flows = Flows(folder.files.load())
    assert not folder.files.changed()
    folder.put("accounts.txt", "4155\n4156\n")
    assert [folder.files.changed() for _ in range(2)] == [False, True]
    assert flows.swap(folder.files.reload()) == ("caller",)
    folder.put("parts/ask.yaml", CALLED.format(list="../accounts.txt").replace("Your", "The"))
    assert [folder.files.changed() for _ in range(2)] == [False, True]
    assert flows.swap(folder.files.reload()) == ("caller",)
    assert not folder.files.changed()


def test_new_file_is_noticed(folder: Folder) -> None:
    """So is one that is put into the folder."""
    folder.files.load()
    folder.write("b.yaml")
    assert [folder.files.changed() for _ in range(2)] == [False, True]
    assert Flows(folder.files.reload()).names() == ("a", "b")
    assert not folder.files.changed()


def test_broken_flow_is_always_due(folder: Folder) -> None:
    """What mends it may be a file that is in no flow yet."""
    folder.put("parts/ask.yaml", "flow: ask\n")
    folder.files.load()
    folder.put("caller.yaml", CALLING)
    assert [folder.files.changed() for _ in range(2)] == [False, True]
    flows = Flows(folder.files.reload())
    assert "caller.yaml" in flows.broken
    folder.put("accounts.txt", "4155\n")
    folder.put("parts/ask.yaml", CALLED.format(list="../accounts.txt"))
    assert folder.files.changed() or folder.files.changed()
    assert flows.swap(folder.files.reload()) == ("caller",)
    assert not flows.broken
