"""What a script says of lookups: what they answer, and which are to be made.

::

    lookups:
      balance: {found: {holder: Jane, amount: "12.50"}, after_s: 1.5}
      accounts: [failed, missing]     # the first time, and every time after
    expect:
      lookups: [{accounts: failed}, {accounts: missing}, balance]
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

RESULTS: Final = ("found", "missing", "failed")
Result = Literal["found", "missing", "failed"]


class StubbedLookup(BaseModel):
    """What a lookup answers one time.

    Attributes:
        result: how it ends.
        values: of the flow's variables that it gives, where something is found.
        after_s: when the answer comes, seconds of the line; ``None`` as soon as a recognition.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    result: Result
    values: dict[str, str] = Field(default_factory=dict)
    after_s: Annotated[float, Field(ge=0.0, le=600.0, allow_inf_nan=False)] | None = None


class ExpectedLookup(BaseModel):
    """A lookup that is to be made.

    Attributes:
        step: of the flow.
        result: how it ends; ``None`` is not compared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: str
    result: Result | None = None
