"""Jobs and client of Procrastinate, on PostgreSQL."""

import os
from typing import Any

import probe
from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_POSTGRES"]))

KINDS = {
    "empty": app.task(name="empty")(probe.empty),
    "clock": app.task(name="clock")(probe.clock),
    "nap": app.task(name="nap")(probe.anap),
    "mark": app.task(name="mark")(probe.mark),
}


class ProcrastinateClient(probe.Client):
    def __init__(self) -> None:
        app.open()

    def one(self, kind: str, argument: Any) -> None:
        KINDS[kind].defer(**{_parameter(kind): argument})

    def many(self, kind: str, arguments: list[Any]) -> None:
        name = _parameter(kind)
        KINDS[kind].batch_defer(*({name: argument} for argument in arguments))


def _parameter(kind: str) -> str:
    return {"empty": "number", "clock": "sent", "nap": "milliseconds", "mark": "number"}[kind]


client = ProcrastinateClient
