"""What is asked for by telephone and is no money: meter readings and appointments.

Blocking, as `ivr.simulate.bank.books`.
"""

from __future__ import annotations

from typing import Any

from ivr.simulate.bank.books import Books

Answer = dict[str, Any]


class Office:
    """Meters and appointments.

    Args:
        books: the file that they are in.
    """

    def __init__(self, books: Books) -> None:
        self._books = books

    def meter(self, number: str) -> Answer | None:
        """A meter and its last reading."""
        with self._books.begin() as books:
            row = books.execute("select * from meters where number = ?", (number,)).fetchone()
        return None if row is None else {"meter": row["number"], "last_reading": row["reading"]}

    def read_meter(self, number: str, reading: int, *, sure: bool) -> Answer | None:
        """Take a reading: ``accepted``, or ``too_low`` or ``too_high`` unless the caller is sure.

        What is sent again is accepted again: nothing is added up.
        """
        with self._books.begin() as books:
            row = books.execute("select * from meters where number = ?", (number,)).fetchone()
            if row is None:
                return None
            used = reading - row["reading"]
            status = "too_low" if used < 0 else "too_high" if used > row["most_used"] else ""
            if not status or sure:
                status = "accepted"
                books.execute("update meters set reading = ? where number = ?", (reading, number))
        return {"status": status, "used": max(used, 0)}

    def appointment(self, reference: str) -> Answer | None:
        """A visit that was agreed on."""
        with self._books.begin() as books:
            row = books.execute(
                "select * from appointments where reference = ?", (reference,)
            ).fetchone()
        return None if row is None else dict(row)

    def set_appointment(self, reference: str, status: str) -> Answer | None:
        """Confirm a visit or cancel it."""
        with self._books.begin() as books:
            books.execute(
                "update appointments set status = ? where reference = ?", (status, reference)
            )
        return self.appointment(reference)

    def slot(self, place: int) -> Answer | None:
        """A time that is free, 1 for the soonest."""
        with self._books.begin() as books:
            row = books.execute(
                "select * from slots order by day, id limit 1 offset ?", (place - 1,)
            ).fetchone()
        if row is None:
            return None
        return {"slot": row["id"], "day": row["day"], "time": row["time"], "next": place + 1}

    def move_appointment(self, reference: str, slot: int) -> Answer | None:
        """Move a visit to a free time, which is then taken; once is enough."""
        with self._books.begin() as books:
            row = books.execute("select * from slots where id = ?", (slot,)).fetchone()
            if row is not None:
                moved = books.execute(
                    "update appointments set day = ?, time = ?, status = 'confirmed'"
                    " where reference = ?",
                    (row["day"], row["time"], reference),
                )
                if moved.rowcount:
                    books.execute("delete from slots where id = ?", (slot,))
        return self.appointment(reference)
