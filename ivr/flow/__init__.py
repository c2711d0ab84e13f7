"""Call flows: the YAML language, its interpreter and the prompts' voice.

`schema` reads and checks a flow file, `machine` runs it turn by turn without any I/O, `text` fills
values into prompts, `prompts` (at the edge) turns a prompt into samples.
"""
