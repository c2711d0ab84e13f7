"""The variables of one call: what has a value, and what of it may leave the call.

Theory of operation: a value comes from the flow's file (a constant), with the call, from the caller
(captured) or from a ``set`` step. A captured value that the flow confirms stays inside until the
caller said yes or the flow came to an end of its own, and so does what ``set`` made of it. What the
caller or the call gave is personal; what the file says, and what is made of that alone, is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any

from ivr.errors import ConfigError
from ivr.flow.model import ConfirmStep, Flow, LookupStep
from ivr.flow.request import read_results
from ivr.flow.text import fill, names, parse_template
from ivr.flow.values import LONGEST_VALUE, canonical


class Variables:
    """The values of one call.

    Args:
        flow: a checked flow.
        given: values for the flow's ``variables`` that have none in the file, or other ones.

    Raises:
        ConfigError: a variable that the flow does not declare, or a declared one without a value.

    State: the values, where they come from, and which were confirmed.
    """

    def __init__(self, flow: Flow, given: Mapping[str, str]) -> None:
        for name in given:
            if name not in flow.variables:
                raise ConfigError(
                    f'flow {flow.flow} has no variable "{name}"; declare it under "variables:"'
                )
        self._declared = {n: text for n, text in flow.variables.items() if text is not None}
        self._values = {**self._declared, **_checked(flow, given)}
        for name in flow.variables:
            if name not in self._values:
                raise ConfigError(
                    f'flow {flow.flow} needs a value for "{name}"; give one for the call, or a '
                    'text under "variables:"'
                )
        self._constants = set(self._values.keys() - given.keys())  # as the file has them
        self._impersonal = set(self._constants)  # made of constants alone
        self._confirmable = frozenset(
            step.confirm for step in flow.steps.values() if isinstance(step, ConfirmStep)
        )
        self._kind = flow.kind
        self._inner = flow.inner
        self._affirmed: set[str] = set()
        self._copied: dict[str, dict[str, str]] = {}  # set variable -> what it was made of

    @property
    def values(self) -> Mapping[str, str]:
        """Every value, for texts and branches; a view."""
        return MappingProxyType(self._values)

    def capture(self, name: str, value: str) -> None:
        """The caller gave a value."""
        self._values[name] = value

    def affirm(self, name: str) -> None:
        """The caller said yes to it."""
        self._affirmed.add(name)

    def drop(self, name: str) -> None:
        """Forget a value and that it was confirmed."""
        self._values.pop(name, None)
        self._affirmed.discard(name)

    def assign(self, name: str, text: str) -> None:
        """What a ``set`` step says: the text with the values of now, cut to `LONGEST_VALUE`."""
        template = parse_template(text)
        spoken = names(template)
        made_of: dict[str, str] = {}
        for each in spoken:
            if each in self._confirmable:
                made_of[each] = self._values[each]
            made_of.update(self._copied.get(each, {}))
        impersonal = self._impersonal.issuperset(spoken)
        self._values[name] = fill(template, self._values)[:LONGEST_VALUE]
        self._copied[name] = made_of
        self._constants.discard(name)
        (self._impersonal.add if impersonal else self._impersonal.discard)(name)

    def forget_results(self, step: LookupStep) -> None:
        """A lookup begins: what an earlier one found is no longer known."""
        for name in step.results:
            self.drop(name)
            self._copied.pop(name, None)
            if (text := self._declared.get(name)) is not None:
                self._values[name] = text
                self._constants.add(name)
                self._impersonal.add(name)

    def look_up(self, step: LookupStep, data: Any) -> bool:
        """Take what a lookup found; False, and nothing taken, where it is of another shape."""
        found = read_results(data, step.results, self._declared, self._kind)
        if found is None:
            return False
        made_of = {
            name: self._values[name]
            for name in step.lookup.variables()
            if name in self._confirmable
        }
        for name in step.lookup.variables():
            made_of.update(self._copied.get(name, {}))
        for name, text in found.items():
            self._values[name] = text
            self._copied[name] = made_of
            self._constants.discard(name)
            self._impersonal.discard(name)
        return True

    def is_personal(self, spoken: tuple[str, ...]) -> bool:
        """Whether a text that speaks these variables holds what the caller or the call gave."""
        return not self._impersonal.issuperset(spoken)

    def shown(self, *, ended: bool) -> dict[str, str]:
        """What the record may hold.

        That is no constant, nothing that is still to be confirmed, and nothing that a called flow
        keeps to itself.

        Args:
            ended: the flow came to an end of its own.
        """
        hidden: AbstractSet[str] = set() if ended else self._confirmable - self._affirmed
        never = self._constants | self._inner
        return {
            name: value
            for name, value in self._values.items()
            if name not in never | hidden and self._may_show_copy(name, hidden)
        }

    def _may_show_copy(self, name: str, hidden: AbstractSet[str]) -> bool:
        """A copy is shown while what it was made of is, and has not changed since."""
        return all(
            source not in hidden and self._values.get(source) == value
            for source, value in self._copied.get(name, {}).items()
        )


def _checked(flow: Flow, given: Mapping[str, str]) -> dict[str, str]:
    """Values from outside, each as its kind is written."""
    checked = {}
    for name, text in given.items():
        try:
            checked[name] = canonical(flow.kind(name), text)
        except ValueError as error:
            raise ConfigError(f'the value for "{name}" is {error}; give another') from None
    return checked
