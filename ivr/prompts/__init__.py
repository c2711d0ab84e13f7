"""The prompts' voice: recordings where there are some, a synthesiser for the rest.

This room is at the edge: it reads and writes files. The core hands it `ivr.flow.turn.Prompt`s by
way of the server.
"""
