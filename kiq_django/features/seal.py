"""Payloads are signed when they are pushed and checked before they run: whoever can write to Redis, but does not know
the key, cannot make jobs, or change what one does.

`KIQ["FEATURES"] = [..., "kiq_django.features.seal"]`, as the last one: nothing is added after it has sealed, and
nothing reads before it has checked. Keys and exceptions stand in `KIQ["SEAL"]`.

The seal is an HMAC-SHA256 over all fields but those that change during a job's life: where it waits and since when,
how often and why it failed (`OPEN_FIELDS`, and all that begin with `error_`). So jobs may still be moved, repeated,
postponed and deleted by whoever writes to Redis. Fields are taken as JSON with sorted keys, and `created_at` in
milliseconds: Ruby may write a job anew, in its own spelling, and the seal holds.

A job whose seal is missing or wrong goes to the dead set with the reason. None of its code runs, hooks included.
"""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from functools import cache, lru_cache
from typing import Any, Final

from django.conf import settings as django_settings
from django.core import checks
from django.utils.encoding import force_bytes

from kiq_django import conf, context, plugins, routing
from kiq_django.exceptions import Kill, NeverRun
from kiq_django.payload import PARKED, Payload
from kiq_django.plugins import Feature

FIELD: Final = "kiq_seal"
OPEN_FIELDS: Final = frozenset(
    {FIELD, "queue", "at", "enqueued_at", "retry_count", "failed_at", "retried_at", "discarded_at", PARKED}
)
"""What the seal does not cover: it changes between push and end."""
OPEN_PREFIX: Final = "error_"
CONTEXT: Final = b"kiq_django.features.seal.1"
"""Makes keys and signatures of this use alone: a `SECRET_KEY` signs other things too."""

_encode = json.JSONEncoder(sort_keys=True, check_circular=False, separators=(",", ":")).encode


class SealBroken(NeverRun, Kill):
    """The seal of a job is missing or wrong: it was made or changed by somebody who does not know the key."""


def sealed(payload: Payload) -> Payload:
    """The payload with the seal of the newest key."""
    return payload.evolve(**{FIELD: _signature(_content(payload), _keys()[0])})


def refuse_forged(payload: Payload) -> None:
    """Check a seal, in constant time.

    Raises:
        SealBroken: it is wrong, or missing where one is required.
    """
    given = payload.document.get(FIELD)
    if given is None:
        return _refuse_unsealed(payload)
    content, wanted = _content(payload), str(given).encode(errors="replace")
    if not any([hmac.compare_digest(_signature(content, key).encode(), wanted) for key in _keys()]):  # noqa: C419
        raise SealBroken(
            "The seal of this job is wrong: something changed it after it was pushed, or its key is not among "
            "KIQ['SEAL']['keys'] any more. It was not run"
        )
    return None


def _refuse_unsealed(payload: Payload) -> None:
    rules = conf.get().seal
    definition = routing.find(payload)
    if rules.required and (definition is None or definition.name not in rules.unsealed):
        raise SealBroken(
            "This job has no seal: it was pushed by somebody without the key, or before there was one. It was not run. "
            "If such jobs are all right, add its name to KIQ['SEAL']['unsealed']"
        )


def _content(payload: Payload) -> bytes:
    """What is signed. `created_at` may be seconds or milliseconds, which are the same time."""
    is_open = _open_fields()
    document = payload.document
    covered = {n: v for n, v in document.items() if n not in is_open and not n.startswith(OPEN_PREFIX)}
    created_at = payload.created_at
    if created_at is not None:
        covered["created_at"] = round(created_at * 1000)
    return _encode(covered).encode()


def _signature(content: bytes, key: bytes) -> str:
    return urlsafe_b64encode(hmac.digest(key, content, "sha256")).decode().rstrip("=")


def _keys() -> tuple[bytes, ...]:
    """The newest first."""
    own: Sequence[str | bytes] = conf.get().seal.keys
    own = own or (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS)
    return tuple(_derived(force_bytes(key)) for key in own)


@lru_cache(maxsize=16)
def _derived(key: bytes) -> bytes:
    return hmac.digest(CONTEXT, key, "sha256")


@cache
def _open_fields() -> frozenset[str]:
    return OPEN_FIELDS.union(conf.get().seal.open_fields)


conf.on_reset(_open_fields.cache_clear)


# --- links ---


def _seal(payload: Payload, proceed: Callable[[Payload], Payload | None]) -> Payload | None:
    return proceed(sealed(payload))


class _Check:
    """For plain and async jobs alike, without a thread between."""

    def __call__(self, payload: Payload, proceed: Callable[[Payload], Any]) -> Any:
        _refuse_if_foreign(payload)
        return proceed(payload)

    async def acall(self, payload: Payload, proceed: Callable[[Payload], Awaitable[Any]]) -> Any:
        _refuse_if_foreign(payload)
        return await proceed(payload)


def _refuse_if_foreign(payload: Payload) -> None:
    """What `perform_now` made in this process has passed nobody's hands, and no client link either."""
    running = context.current_job()
    if running is None or not running.is_direct:
        refuse_forged(payload)


# --- the feature ---


def stands_last(**_: Any) -> list[checks.CheckMessage]:
    """E004: a feature after this one adds to jobs what their seal does not know."""
    if plugins.features()[-1:] == (feature,):
        return []
    return [
        checks.Error(
            "'kiq_django.features.seal' is not the last of KIQ['FEATURES']: what those after it add to a job breaks "
            "its seal",
            hint="Make it the last one",
            id="kiq_django.E004",
        )
    ]


feature = Feature(name="seal", client=_seal, server=_Check(), checks=(stands_last,))
