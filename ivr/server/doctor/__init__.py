"""`ivr doctor`: looks at everything that a call needs, and says what to do where it is wrong.

`local` looks at this machine, `remote` at what is reached over the network, `report` prints. A
check never changes anything: a database is not migrated, nothing is sent but requests for what is
there.
"""
