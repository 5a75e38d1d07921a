"""Jobs with and without the habits that the kit looks for. Only tests import them."""

import contextlib
import json
import urllib.request
import uuid

from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone

from kiq_django import Discard, job
from kiq_django.testing import effect
from tests.jobsapp.jobs import record


@job(name="kit.upsert")
def upsert(name):
    Group.objects.get_or_create(name=name)


@job(name="kit.add_user")
def add_user():
    User.objects.create(username=uuid.uuid4().hex)


@job(name="kit.mail_always")
def mail_always(address):
    send_mail("Hello", "There", "us@example.com", [address])


@job(name="kit.follow")
def follow(number):
    record.enqueue(number)


@job(name="kit.count")
def count():
    cache.set("visits", cache.get("visits", 0) + 1)


@job(name="kit.remember")
def remember():
    cache.set("colour", "blue")


@job(name="kit.stamp")
def stamp(pk):
    User.objects.filter(pk=pk).update(last_login=timezone.now())


@job(name="kit.two_rows")
def two_rows(name):
    """Not safe: killed between the two, the second is never made."""
    _, made = Group.objects.get_or_create(name=name)
    if made:
        Group.objects.create(name=f"{name} too")


@job(name="kit.two_rows_at_once")
def two_rows_at_once(name):
    with transaction.atomic():
        two_rows(name)


@job(name="kit.commit_then_enqueue")
def commit_then_enqueue(name):
    """Not safe: killed after the commit, nothing is enqueued, ever."""
    with transaction.atomic():
        _, made = Group.objects.get_or_create(name=name)
        if made:
            record.enqueue(name)


@job(name="kit.enqueue_always")
def enqueue_always(name):
    with transaction.atomic():
        Group.objects.get_or_create(name=name)
        record.enqueue(name)


@job(name="kit.hooked")
def hooked(name):
    with transaction.atomic():
        if Group.objects.get_or_create(name=name)[1]:
            transaction.on_commit(lambda: mail_always("a@example.com"))


@job(name="kit.stubborn")
def stubborn(name):
    """Catches everything, and goes on: a dead process does not."""
    with contextlib.suppress(BaseException):
        Group.objects.create(name=name)
    with contextlib.suppress(BaseException):
        Group.objects.create(name=f"{name} after death")
    Group.objects.filter(name=f"{name} after death").delete()
    Group.objects.filter(name=name).delete()
    Group.objects.create(name=name)


@job(name="kit.charge")
def charge(url, name, key=""):
    headers = {"Idempotency-Key": key} if key else {}
    if Group.objects.filter(name=name).exists():
        return
    request = urllib.request.Request(url, json.dumps({"name": name}).encode(), headers)
    urllib.request.urlopen(request).read()
    Group.objects.create(name=name)


@job(name="kit.charge_by_fake")
def charge_by_fake(name, key=""):
    if not Group.objects.filter(name=name).exists():
        effect("charged 9.90", key=key)
        Group.objects.create(name=name)


@job(name="kit.member")
def member(name):
    """New rows that refer to each other."""
    with transaction.atomic():
        if not User.objects.filter(username=name).exists():
            group = Group.objects.create(name=name)
            User.objects.create(username=name).groups.add(group)


@job(name="kit.member_in_steps")
def member_in_steps(name):
    group, _ = Group.objects.get_or_create(name=name)
    user, made = User.objects.get_or_create(username=name)
    if made:
        user.groups.add(group)


@job(name="kit.bulk")
def bulk(names):
    Group.objects.bulk_create([Group(name=name) for name in names], batch_size=1, ignore_conflicts=True)


@job(name="kit.async_upsert")
async def async_upsert(name):
    await Group.objects.aget_or_create(name=name)


@job(name="kit.fragile")
def fragile(name):
    Group.objects.create(name=name)
    Group.objects.filter(name="x").delete()


@job(name="kit.fail")
def fail():
    raise ZeroDivisionError


@job(name="kit.many")
def many(names):
    for name in names:
        Group.objects.get_or_create(name=name)


@job(name="kit.discard_when_done")
def discard_when_done(name):
    if Group.objects.filter(name=name).exists():
        raise Discard("done before")
    Group.objects.create(name=name)


@job(name="kit.discard_what_is_gone", discard_on=[Group.DoesNotExist])
def discard_what_is_gone(name):
    Group.objects.get(name=name).delete()


@job(name="kit.enqueue_none")
def enqueue_none(name):
    record.enqueue_all([])
    Group.objects.get_or_create(name=name)
