"""Which names of keys and parameters are names of secrets.

A name is secret when one of its parts is: `userPassword`, `AUTH_TOKEN`, `X-Api-Key`, but not `author`, `tokenizer` or
`compass`. To the names known here come those of `KIQ["DASHBOARD"]["redact"]`.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Final

from kiq_django import conf
from kiq_django.exceptions import ConfigurationError

NAMES: Final = (
    "password", "passwd", "pwd", "passphrase", "passcode", "db_pass", "user_pass", "smtp_pass", "mail_pass",
    "redis_pass", "secret", "token", "jwt", "otp", "bearer", "credential", "api_key", "apikey", "access_key",
    "private_key", "encryption_key", "signing_key", "ssh_key", "authorization", "auth", "cookie", "session",
    "sessionid", "csrf", "card", "cc", "cvv", "cvc", "ssn", "iban", "pin",
)  # fmt: skip
"""Secret as a whole name or as consecutive parts of one, in the singular or plural."""
ENDINGS: Final = (
    "passwd", "passphrase", "passcode", "secret", "token", "apikey", "accesskey", "privatekey", "secretkey", "cookie",
    "credential", "authorization", "sessionid", "sessid", "creditcard", "cardnumber",
)  # fmt: skip
"""Secret at the end of a part too: many names are written without a joint, such as `csrfmiddlewaretoken`."""
ALONE: Final = ("pas",)
"""Secret as the whole name alone; parts are compared in the singular, so this is `pass`."""
LONGEST: Final = 128
"""Characters that are looked at from the beginning of a name, and as many from its end."""

Judge = Callable[[str], bool]

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


def is_secret(name: str, more: tuple[str, ...] = ()) -> bool:
    """Whether what goes by this name is hidden; `more` are names that count beside the usual ones. Never raises."""
    return judge(more)(name)


def judge(more: tuple[str, ...] = ()) -> Judge:
    """`is_secret` for many names."""
    known = _judge(more)
    return lambda name: known(name if len(name) <= 2 * LONGEST else f"{name[:LONGEST]}_{name[-LONGEST:]}")


@lru_cache(maxsize=1_000)
def _judge(more: tuple[str, ...]) -> Judge:
    """One for each set of names. It remembers names, and only so many: payloads could hold millions."""
    parts = "|".join(sorted({re.escape(_joined(name)) for name in more} - {"__"}))
    usual = _usual()
    search = re.compile(parts).search if parts else usual

    @lru_cache(maxsize=2_000)
    def known(name: str) -> bool:
        joined = _joined(name)
        return usual(joined) is not None or search(joined) is not None

    return known


@cache
def _usual() -> Callable[[str], re.Match[str] | None]:
    """Finds what is secret for all jobs in a name that was taken to pieces."""
    parts = "|".join(sorted({re.escape(_joined(name)) for name in (*NAMES, *_names_of_settings())} - {"__"}))
    return re.compile(rf"^_(?:{'|'.join(ALONE)})_$|password|(?:{'|'.join(ENDINGS)})_|{parts}").search


def _joined(name: str) -> str:
    """`_user_password_` for `userPasswords`: the parts in lower case and in the singular."""
    return f"_{'_'.join(part.lower().removesuffix('s') for part in _PARTS.findall(name))}_"


def _names_of_settings() -> tuple[str, ...]:
    try:
        return tuple(name for name in conf.get().dashboard.redact if isinstance(name, str))
    except ConfigurationError:  # told elsewhere; a log line comes out all the same
        return ()


@conf.on_reset
def _forget() -> None:
    _usual.cache_clear()
    _judge.cache_clear()
