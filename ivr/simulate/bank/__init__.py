"""A small bank, for flows to look things up in: what `ivr demo` and `ivr bank` start.

`seed` has the customers, `ledger` keeps the books in SQLite, `office` what is no money (meters,
appointments), `api` answers by HTTP, `command` starts it. Nothing in it is anybody's; all numbers
are made up, and the same in every copy.
"""
