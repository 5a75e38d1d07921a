"""The backend with a real worker behind each call: for tests that look at the end of a task at once."""

import asyncio

from kiq_django import store
from kiq_django.task_backend import KiqBackend
from kiq_django.worker.config import CapsuleConfig, WorkerConfig
from kiq_django.worker.launcher import Launcher
from tests.support import wait_for


class WorkedBackend(KiqBackend):
    """Pushes to Redis, then lets a worker run what is there, and answers how it went."""

    def enqueue(self, task, args, kwargs):
        return _worked(super().enqueue(task=task, args=args, kwargs=kwargs))

    async def aenqueue(self, task, args, kwargs):
        return await asyncio.to_thread(_worked, await super().aenqueue(task=task, args=args, kwargs=kwargs))


def _worked(result):
    capsule = CapsuleConfig(queues={result.task.queue_name: 0}, concurrency=1)
    launcher = Launcher(WorkerConfig(capsules=[capsule], drain=True), store.get, lambda name: None)
    launcher.start()

    def finished():
        result.refresh()
        return result.is_finished

    try:
        wait_for(finished)
    finally:
        launcher.stop(5)
    return result
