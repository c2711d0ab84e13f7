"""Call flows: the YAML language and its interpreter.

`schema` reads a flow file: `source` knows its lines, `model` and `parts` its keys, `mistakes` the
words for what is wrong, `subflow` puts called flows in place, `check` looks at the whole as a
`graph`. `machine` runs it turn by turn without any I/O, with its `variables` and its way at each
`branch`; `text` fills values into prompts, and `saying` names their recordings. `draw`, `layout`
and `picture` make diagrams, `json_schema` is for editors, `new` for beginners.
"""
