"""The guardian of an embedded server: a small process that starts it, brings it back, ends it when unused.

It runs with the standard library alone: no Django, no site-packages, no other module of kiq_django. Hence the
relative imports: here this package has no parent. It outlives who started it and is nobody's child. Who lives
is told by locks (`flock`), which the kernel drops with the last process that has the file open, however that
process ends:

| file            | lock      | held by                                      | means                    |
| --------------- | --------- | -------------------------------------------- | ------------------------ |
| `users.lock`    | shared    | each process that uses the server            | the server is needed     |
|                 | exclusive | the guardian while it stops the server       | wait, then start anew    |
| `guardian.lock` | exclusive | the guardian                                 | it lives                 |
| `server.lock`   | exclusive | the server, which inherits the open file     | it lives, guarded or not |
| `start.lock`    | exclusive | a user who looks for the server or starts it | the others wait          |
"""

READY = "ready"
"""A guardian's word to its starter: there is a server. Any other word is the reason why there is none."""
