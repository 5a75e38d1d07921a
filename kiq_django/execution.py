"""Run one payload and say how it went. Nothing is written here: who called decides what the outcome means.

1. find the job in the registry      4. server links around it, then the job itself
2. set the context                   5. database housekeeping after it
3. database housekeeping before it   6. the context back, the outcome
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django.db.backends.signals import connection_created

from kiq_django import arguments, clock, conf, databases, middleware, plugins, results, routing, signals, transactions
from kiq_django.context import RunningJob, StopFlag, current
from kiq_django.exceptions import JobTimeout
from kiq_django.payload import KWARGS, RESULT, RICH, Payload
from kiq_django.registry import Definition


class Outcome:
    """How one run of a job went."""

    error: BaseException | None = None
    """What the job raised."""
    fate: str = ""
    """What becomes of a failed job, in words for people; empty until that was decided."""
    result: Any = None
    """What the job returned, or the link that vetoed it."""
    interrupted: bool = False
    """Cancelled by a stopping worker: it neither succeeded nor failed."""
    elapsed: float = 0.0
    """Seconds."""

    def __init__(self, payload: Payload, queue: str, definition: Definition | None) -> None:
        self.payload = payload
        """As it was given to `run`; changes by server links are not in it."""
        self.queue = queue
        """Where it was fetched from."""
        self.definition = definition
        """What `@job` declared; None for an unknown name."""
        self.started_at = clock.now()
        """Epoch seconds."""

    def __repr__(self) -> str:
        return f"<Outcome {self.payload.name} {self.payload.jid} {self.state}>"

    @property
    def state(self) -> str:
        """`done`, `failed` or `interrupted`."""
        if self.interrupted:
            return "interrupted"
        return "done" if self.error is None else "failed"


def run(
    payload: Payload,
    queue: str,
    stop_flag: StopFlag | None = None,
    *,
    definition: Definition | None = None,
    housekeeping: bool = True,
    direct: bool = False,
) -> Outcome:
    """Run a job in this thread, an async one on an event loop of its own.

    Whatever it raises stands in the outcome: `SystemExit` and `MemoryError` are failures of the job too.

    Args:
        payload: what to run.
        queue: where it was fetched from.
        stop_flag: what the job sees as `current_job().interrupted`.
        definition: of the job, where it was looked for already.
        housekeeping: close database connections that are broken or too old. Not where somebody may have a cursor open.
        direct: made by `perform_now`, so that nobody can have changed it on its way.

    Raises:
        KeyboardInterrupt: the process is to end.
    """
    definition = definition or routing.find(payload)
    running = RunningJob(payload, queue, definition, stop_flag)
    running.is_direct = direct
    outcome = Outcome(payload, queue, definition)
    token = current.set(running)
    try:
        if connected := housekeeping and transactions.initialised():
            databases.keep_fresh()
        if signals.job_started.receivers:
            _started(running)
        began = clock.monotonic()
        try:
            outcome.result = _call(definition, payload)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the worker outlives whatever a job raises
            outcome.error = error
        outcome.elapsed = clock.monotonic() - began
        if connected or (housekeeping and running.opened_connection):
            databases.keep_fresh()
        if signals.job_finished.receivers:
            _finished(outcome)
        return outcome
    finally:
        current.reset(token)
        del outcome  # the traceback of its error holds this frame, and everything that the job's frames hold


def _call(definition: Definition | None, payload: Payload) -> Any:
    if "bid" in payload.document or "expires_at" in payload.document:
        routing.refuse_unfit(payload)
    result = (_chains.get(definition) or _chain(definition, payload))(payload)
    if RESULT in payload.document:
        results.refuse_unusable(payload.document, result)
    return result


async def arun(payload: Payload, queue: str, stop_flag: StopFlag | None = None) -> Outcome:
    """Run an async job on this event loop.

    Its synchronous parts get a thread of their own, as those of an ASGI request do in Django.

    Raises:
        asyncio.CancelledError: the task around was cancelled, and the stop flag is not set. With it set, the
            cancelling is the worker's: the outcome is `interrupted`.
    """
    definition = routing.find(payload)
    running = RunningJob(payload, queue, definition, stop_flag)
    outcome = Outcome(payload, queue, definition)
    token = current.set(running)
    try:
        if signals.job_started.receivers:
            _started(running)
        began = clock.monotonic()
        async with ThreadSensitiveContext():
            try:
                if "bid" in payload.document or "expires_at" in payload.document:
                    routing.refuse_unfit(payload)
                outcome.result = await (_achains.get(definition) or _achain(definition, payload))(payload)
                if RESULT in payload.document:
                    results.refuse_unusable(payload.document, outcome.result)
            except KeyboardInterrupt:
                raise
            except asyncio.CancelledError as error:
                _settle_cancelled(outcome, error)
            except BaseException as error:  # noqa: BLE001 - the worker outlives whatever a job raises
                outcome.error = error
            finally:
                if running.opened_connection:
                    await sync_to_async(databases.close_all, thread_sensitive=True)()
        outcome.elapsed = clock.monotonic() - began
        if signals.job_finished.receivers:
            _finished(outcome)
        return outcome
    finally:
        current.reset(token)
        del outcome  # the traceback of its error holds this frame, and everything that the job's frames hold


def _started(running: RunningJob) -> None:
    signals.send(signals.job_started, running.definition and running.definition.sender, running=running)


def _finished(outcome: Outcome) -> None:
    signals.send(signals.job_finished, outcome.definition and outcome.definition.sender, outcome=outcome)


def _settle_cancelled(outcome: Outcome, error: asyncio.CancelledError) -> None:
    """Tell a job whose task is being cancelled from one that awaited something that was."""
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        outcome.error = error
    elif (running := current.get()) is not None and running.interrupted:
        outcome.interrupted = True
    else:
        raise error


# --- chains: built once per job, so that a run allocates none of it ---

AsyncChain = Callable[[Payload], Awaitable[Any]]
_chains: dict[Definition | None, Callable[[Payload], Any]] = {}
_achains: dict[Definition | None, AsyncChain] = {}


@conf.on_reset
def _forget() -> None:
    _chains.clear()
    _achains.clear()


def _chain(definition: Definition | None, payload: Payload) -> Callable[[Payload], Any]:
    if definition is None:
        raise routing.unknown(payload)
    if definition.is_async:
        chain = async_to_sync(_achain(definition, payload))
    else:
        chain = middleware.compose(plugins.server_links(), _performer(definition))
    _chains[definition] = chain
    return chain


def _achain(definition: Definition | None, payload: Payload) -> AsyncChain:
    if definition is None:
        raise routing.unknown(payload)
    chain = middleware.acompose(plugins.server_links(), _aperformer(definition))
    _achains[definition] = chain
    return chain


def _performer(definition: Definition) -> Callable[[Payload], Any]:
    target = definition.runner

    def perform(payload: Payload) -> Any:
        document = payload.document
        args, kwargs = document.get("args") or (), document.get(KWARGS)
        if RICH in document:
            args, kwargs = arguments.load(args, kwargs or {})
        return target(*args, **kwargs) if kwargs else target(*args)

    seconds = _timeout(definition)
    return perform if seconds is None else _limited(perform, seconds, definition)


def _limited(perform: Callable[[Payload], Any], seconds: float, definition: Definition) -> Callable[[Payload], Any]:
    message = _too_long(definition, seconds)
    from kiq_django import deadline  # brings ctypes along, and few jobs have a time limit

    def perform_limited(payload: Payload) -> Any:
        with deadline.limit(seconds, message):
            return perform(payload)

    return perform_limited


def _aperformer(definition: Definition) -> AsyncChain:
    seconds = _timeout(definition)

    async def perform(payload: Payload) -> Any:
        if RICH in payload.document:
            # They may ask the database, which is forbidden on the event loop.
            args, kwargs = await sync_to_async(arguments.load, thread_sensitive=True)(payload.args, payload.kwargs)
        else:
            args, kwargs = payload.args, payload.kwargs
        return await definition.runner(*args, **kwargs)

    return perform if seconds is None else _alimited(perform, seconds, definition)


def _alimited(perform: AsyncChain, seconds: float, definition: Definition) -> AsyncChain:
    message = _too_long(definition, seconds)

    async def perform_limited(payload: Payload) -> Any:
        ours = asyncio.timeout(seconds)
        try:
            async with ours:
                return await perform(payload)
        except TimeoutError as error:
            if not ours.expired():
                raise
            raise JobTimeout(message) from error

    return perform_limited


def _timeout(definition: Definition) -> float | None:
    own = definition.options.timeout
    return conf.get().defaults.timeout if own is None else own


def _too_long(definition: Definition, seconds: float) -> str:
    return f"{definition.name} ran longer than its timeout of {seconds:g} s"


def _connection_created(**_: Any) -> None:
    running = current.get()
    if running is not None:
        running.opened_connection = True


connection_created.connect(_connection_created, dispatch_uid="kiq_django.execution")
