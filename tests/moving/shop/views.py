from celery.result import AsyncResult
from celery.signals import task_failure


def status(request, task_id):
    return AsyncResult(task_id).state


@task_failure.connect
def failed(sender=None, **kwargs): ...


class Plain:
    """Nothing of this is Celery's."""

    def s(self):
        return self.get("x").status

    def get(self, name):
        return self
