"""What Django calls: validate, enqueue, tell how it went, check the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage

from kiq_django import adapters, binding, client, clock, conf, plugins, registry, signals, transactions
from kiq_django.bulk import for_each
from kiq_django.codec import dumps, loads
from kiq_django.delivery import PLAIN, Care
from kiq_django.exceptions import ConfigurationError, StoreUnavailable
from kiq_django.jobs.plan import Plan, build_options
from kiq_django.payload import RESULT, TASK, Payload
from kiq_django.task_backend import checks, framework, runner, shelf
from kiq_django.task_backend.framework import BaseTaskBackend, InvalidTask, Task, TaskResult
from kiq_django.task_backend.known import Known, result_of
from kiq_django.task_backend.plain import plain
from kiq_django.task_backend.task import KiqTask, due, options_of

DAY: Final = 86_400


class KiqBackend(BaseTaskBackend):
    """Tasks of `django.tasks` as jobs of ours. `OPTIONS` are in `task_backend/checks.py`."""

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True
    task_class = KiqTask

    def __init__(self, alias: str, params: Mapping[str, Any]) -> None:
        super().__init__(alias, {"QUEUES": _queues(), **params})
        self.defaults = {name: value for name, value in self.options.items() if name in checks.JOB_OPTIONS}
        """What tasks are that do not say otherwise."""

    def declare(self, task: KiqTask) -> None:
        """Make a task known to the workers of this process.

        Raises:
            ConfigurationError: an option is not usable.
            DuplicateJobError: a job has its name.
        """
        known = registry.find(task.module_path)
        if known is None or getattr(known.target, "__wrapped__", None) is not task.func:
            options = build_options({**self.defaults, "queue": task.queue_name, **options_of(task)})
            registry.register(registry.describe(runner.wrap(task), options, task.module_path, sender=task))

    def enqueue(self, task: Task[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult[Any, Any]:
        """Push a task, once the open transactions have committed unless `on_commit` is off. Its id is final at once.

        Raises:
            InvalidTask: the backend cannot run it.
            TypeError, ValueError: its function cannot be called so, or an argument is not JSON.
            QueueFull: its queue has a limit, and no room.
            StoreError: Redis did not take it; comes out of `with atomic()` where the commit was waited for. With an
                outbox it waits there instead.
        """
        return self._enqueue(*self._made(task, args, kwargs))

    def _enqueue(self, payload: Payload, plan: Plan) -> TaskResult[Any, Any]:
        if not (plan.on_commit and transactions.open_connections()):
            _push(plan.care, plan.on_commit, [payload])
            return self._entered(payload)
        if client.is_kept(plan.care):
            client.push(payload, on_commit=True, care=plan.care)
            transactions.hold([payload], _announce_all)
        else:
            client.admit(plan.care)
            payload = plugins.stamped(payload)
            client.refuse_unusable(payload)
            transactions.hold([payload], _flush(plan.care.replicas))
        return _waiting(payload)

    async def aenqueue(
        self, task: Task[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> TaskResult[Any, Any]:
        """`enqueue` on the event loop itself; in the thread of the transactions only while one is open somewhere."""
        payload, plan = self._made(task, args, kwargs)
        if plan.care != PLAIN or not (adapters.get().persistent and transactions.none_open_anywhere()):
            return await sync_to_async(self._enqueue, thread_sensitive=True)(payload, plan)
        await shelf.get().aenter(payload)
        if await client.apush(payload, on_commit=False):
            result = result_of(Known(payload=payload))
            for signal in framework.signal("task_enqueued"):
                await signals.asend(signal, type(self), task_result=result)
        return result_of(Known(payload=payload))

    def get_result(self, result_id: str) -> TaskResult[Any, Any]:
        """How a task goes or went, in one round trip (two while it runs).

        Raises:
            TaskResultDoesNotExist: nothing is known under this id, or not any more.
            StoreError: Redis does not answer.
        """
        return _found(result_id, shelf.get().find(str(result_id)))

    async def aget_result(self, result_id: str) -> TaskResult[Any, Any]:
        """`get_result` on the event loop itself."""
        return _found(result_id, await shelf.get().afind(str(result_id)))

    @property
    def results(self) -> list[TaskResult[Any, Any]]:
        """Of all tasks that this process has enqueued, in order: for tests. With the adapter `redis` it is empty."""
        return [result_of(known) for known in shelf.get().all()]

    def clear(self) -> None:
        """Forget these, and what waits in the adapter `test`."""
        shelf.get().clear()
        if forget := getattr(adapters.get(), "clear", None):
            forget()

    def check(self, **_: Any) -> list[CheckMessage]:
        """E010 to E012 and W006: settings of this backend that cannot be meant."""
        return list(checks.check(self.alias, self.options, self.queues))

    def _made(self, task: Task[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Payload, Plan]:
        """The job of a call, and how it is to be pushed."""
        self.validate_task(task)
        if not isinstance(task, KiqTask):
            raise InvalidTask(
                f"Task {task.module_path} was declared for another backend, so that no worker knows it. "
                f"Declare it with @task(backend={self.alias!r})"
            )
        args, kwargs = loads(dumps([plain(args), plain(kwargs)]))
        binding.bind(runner.signature_of(task), task.name, args, kwargs)
        plan = Plan(task.module_path, {**self.defaults, **options_of(task), "queue": task.queue_name}, conf.get())
        return self._payload(task, plan, args, kwargs), plan

    def _entered(self, payload: Payload) -> TaskResult[Any, Any]:
        """Where nothing lasts the task may have run by now."""
        return result_of(Known(payload=payload)) if adapters.get().persistent else self.get_result(payload.jid)

    def _payload(self, task: KiqTask, plan: Plan, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Payload:
        at = due(task)
        # The priority first, where `enter.lua` looks for it.
        told = {"priority": int(task.priority), "backend": self.alias, "run_after": at}
        fields = {**plan.fields, TASK: told, RESULT: self.options.get("result_ttl", DAY)}
        return Payload.new(
            task.module_path, args, kwargs, queue=plan.queue, retry=plan.retry, now=clock.now(), at=at, **fields
        )


def _found(result_id: str, known: Known | None) -> TaskResult[Any, Any]:
    if known is None:
        raise framework.does_not_exist(result_id)
    return result_of(known)


@cache
def _flush(replicas: int) -> transactions.Flush:
    """One object for all tasks of a kind: what is held with the same is handed over in one call."""
    return partial(_push, Care(replicas=replicas), False)


def _push(care: Care, on_commit: bool, payloads: Sequence[Payload]) -> None:
    for_each(partial(_push_one, care, on_commit), payloads, ends=(StoreUnavailable,))


def _push_one(care: Care, on_commit: bool, payload: Payload) -> None:
    shelf.get().enter(payload)
    runs_at_once = not adapters.get().schedules
    if runs_at_once:
        _announce(payload)
    if _pushed(payload, care, on_commit) and not runs_at_once:
        _announce(payload)


def _announce_all(payloads: Sequence[Payload]) -> None:
    """They are in Redis, or in an outbox that it does not have to be asked about."""
    for payload in payloads:
        _announce(payload)


def _announce(payload: Payload) -> None:
    result = result_of(Known(payload=payload))
    for signal in framework.signal("task_enqueued"):
        signals.send(signal, type(result.task.get_backend()), task_result=result)


def _pushed(payload: Payload, care: Care, on_commit: bool) -> bool:
    """False when a client link vetoed it. With the adapter `inline` it has run; what it raised stands in its result."""
    try:
        return bool(client.push(payload, on_commit=on_commit, care=care))
    except KeyboardInterrupt:
        raise
    except BaseException:
        known = None if adapters.get().persistent else shelf.get().find(payload.jid)
        if known is None or known.status != "FAILED":
            raise
        return True


def _waiting(payload: Payload) -> TaskResult[Any, Any]:
    """Of a task that waits for a commit: it is not enqueued yet."""
    result = result_of(Known(payload=payload))
    object.__setattr__(result, "enqueued_at", None)
    return result


def _queues() -> list[str]:
    """Without `QUEUES` of its own a backend has those of `KIQ`. None is all; the system checks tell of broken ones."""
    try:
        return list(conf.get().queues)
    except ConfigurationError:
        return []
