from celery import Task, chain, group, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.log import get_task_logger

from .celery import app

logger = get_task_logger(__name__)


class LoggedTask(Task):
    def on_failure(self, exc, task_id, args, kwargs, einfo):
        logger.error("failed")


@shared_task
def add(x, y):
    return x + y


@shared_task(bind=True, max_retries=5, default_retry_delay=60, acks_late=True)
def charge(self, order_id):
    try:
        return order_id
    except ConnectionError as error:
        raise self.retry(exc=error, countdown=2**self.request.retries)


@shared_task(bind=True, base=LoggedTask, rate_limit="10/m")
def report(self, month):
    self.update_state(state="PROGRESS", meta={"done": 1})
    if not month:
        self.retry(args=[1], queue="slow")


@app.task(autoretry_for=(OSError,), retry_backoff=True, soft_time_limit=30, time_limit=60)
def fetch(url):
    try:
        return url
    except SoftTimeLimitExceeded:
        return None


@shared_task(serializer="pickle")
def pickled(thing): ...


def sweep():
    charge.delay(1)
    charge.apply_async((1,), countdown=10, expires=60, queue="slow", priority=9)
    charge.apply_async(args=[1], link=add.s(1, 2))
    chain(add.s(1, 2), add.si(3, 4))()
    group(add.s(i, i) for i in range(3)).delay()
    if add.delay(1, 2).get(timeout=10) == 3:
        app.send_task("billing.tasks.invoice", args=[1])
    app.control.revoke("id")
