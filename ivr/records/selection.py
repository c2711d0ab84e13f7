"""Which calls: filters, a place to go on from, and who looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ivr.records.tables import calls, outbox
from ivr.records.webhook import DELIVERED

_NEWEST_FIRST: Final = (calls.c.started_at.desc(), calls.c.record_id.desc())


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose calls may be seen.

    Attributes:
        owner: of the calls that are his own; ``None`` for nobody's.
        inbound: also the calls that nobody placed: they came in by telephone.
        everything: whosever they are.
    """

    owner: str | None = None
    inbound: bool = True
    everything: bool = True

    def sees(self, owner: str | None) -> bool:
        """Whether he may see a call of this owner; ``None``: one that came in."""
        if self.everything:
            return True
        return self.inbound if owner is None else owner == self.owner


@dataclass(frozen=True, slots=True)
class Filter:
    """Which calls.

    Attributes:
        since: started at this time or later, ISO 8601 in UTC.
        until: started before this time.
        outcome: of the flow.
        status: ``in-progress`` or ``ended``.
        undelivered: only those whose result has not reached the webhook.
        limit: the newest so many; ``None`` for all.
        after: older than the call with this start and record_id.
        viewer: who looks.
    """

    since: str | None = None
    outcome: str | None = None
    undelivered: bool = False
    limit: int | None = None
    until: str | None = None
    status: str | None = None
    after: tuple[str, str] | None = None
    viewer: Viewer = Viewer()

    def query(self) -> sa.Select[Any]:
        """Ids and documents of the calls, newest first."""
        query = visible(self.viewer)
        if self.since is not None:
            query = query.where(calls.c.started_at >= self.since)
        if self.until is not None:
            query = query.where(calls.c.started_at < self.until)
        if self.outcome is not None:
            query = query.where(calls.c.outcome == self.outcome)
        if self.status is not None:
            query = query.where(calls.c.status == self.status)
        if self.undelivered:
            late = sa.select(outbox.c.record_id).where(outbox.c.state != DELIVERED)
            query = query.where(calls.c.record_id.in_(late))
        if self.after is not None:
            key = sa.tuple_(calls.c.started_at, calls.c.record_id)
            query = query.where(key < sa.tuple_(*map(sa.literal, self.after)))
        return query if self.limit is None else query.limit(self.limit)

    def takes(self, document: dict[str, Any]) -> bool:
        """Whether a call that is still in memory is among them; a limit is not looked at."""
        started_at, outcome = document["started_at"], document.get("outcome")
        return (
            self.viewer.sees(document.get("owner"))
            and (self.since is None or started_at >= self.since)
            and (self.until is None or started_at < self.until)
            and (self.outcome is None or outcome == self.outcome)
            and (self.status is None or document.get("status") == self.status)
            and (self.after is None or (started_at, document["record_id"]) < self.after)
            and not self.undelivered
        )


def visible(viewer: Viewer) -> sa.Select[Any]:
    """Ids and documents of all calls that somebody may see, newest first."""
    query = sa.select(calls.c.record_id, calls.c.document).order_by(*_NEWEST_FIRST)
    if viewer.everything:
        return query
    own = calls.c.owner == viewer.owner
    return query.where(sa.or_(own, calls.c.owner.is_(None)) if viewer.inbound else own)
