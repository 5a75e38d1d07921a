"""`kiq acl`: users of Redis that may do what their programs need, and nothing more."""

from collections.abc import Sequence

from django.core.management.base import CommandError, CommandParser

from kiq_django import conf
from kiq_django.management.kiq.subcommand import Options, Subcommand
from kiq_django.management.kiq.terminal import Terminal
from kiq_django.store import acl
from kiq_django.store.keys import Keys

USERS = "kiq-"


def show(terminal: Terminal, options: Options) -> None:
    """A line for `redis-cli` per role."""
    prefix = conf.get().prefix if options["prefix"] is None else options["prefix"]
    chosen = _chosen(options["roles"])
    lines = [acl.line(role, prefix, f"{options['users']}{role.name}") for role in chosen]
    if options["json"]:
        terminal.json([_plain(role, prefix) for role in chosen])
        return
    for line in lines:
        terminal.say(line)


def _chosen(names: Sequence[str]) -> list[acl.Role]:
    known = {role.name: role for role in acl.roles()}
    for name in names:
        if name not in known:
            raise CommandError(f"There is no role {name!r}. {conf.did_you_mean(name, list(known))}")
    return [role for role in known.values() if role.name in (names or known)]


def _plain(role: acl.Role, prefix: str) -> dict[str, object]:
    return {"role": role.name, "duty": role.duty, "rules": role.rules(Keys(prefix))}


def _arguments(parser: CommandParser) -> None:
    names = ", ".join(role.name for role in acl.roles())
    parser.add_argument("roles", nargs="*", metavar="ROLE", help=f"of {names}; without any, all")
    parser.add_argument("--prefix", metavar="P", help="before every key (KIQ['PREFIX'])")
    parser.add_argument("--users", default=USERS, metavar="P", help=f"before the name of each user ({USERS})")


SUBCOMMANDS = (
    Subcommand(
        "acl",
        "print the ACL of Redis users for each kind of program: kiq acl | redis-cli",
        show,
        _arguments,
        reads=True,
    ),
)
