"""Lookups: what a flow asks of other systems is asked here, never in the core.

`service` is what the server uses: it takes an `ivr.flow.request.Request` and gives an `Answer`.
Each kind of source has a file.
"""
