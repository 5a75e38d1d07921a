"""The product with one bug each: most of them were shipped somewhere once. A test suite that is worth its time tells.

`KIQ_CHAOS_MUTANT=no_fence` brings one into the workers of this folder's tests, and into the tests' own process.
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiq_django.store import scripts
from tests.chaos.app import bugs

Edit = tuple[str, str, str]
"""Name of a script, a text in it, and what takes its place."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug."""

    caught_by: str
    """Arguments for pytest: the tests of which one at least must fail."""
    edits: Sequence[Edit] = ()
    patch: Callable[[], None] | None = None


MODEL = "test_model.py -k"
TROUBLE = "test_trouble.py -k"


def bring(name: str) -> None:
    """Let this process have a bug from now on.

    Raises:
        LookupError: a script no longer has the text that is to be changed, or there is no such bug.
    """
    mutant = MUTANTS[name]
    if mutant.edits:
        _edit(mutant.edits)
    if mutant.patch:
        mutant.patch()


def _edit(edits: Sequence[Edit]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="kiq")) / "lua"
    shutil.copytree(scripts.FOLDER, folder)
    for script, old, new in edits:
        path = folder / f"{script}.lua"
        text = path.read_text()
        if old not in text:
            raise LookupError(f"{script}.lua has no {old!r} any more: give the mutant another text")
        path.write_text(text.replace(old, new, 1))
    scripts.FOLDER = folder
    scripts.load.cache_clear()


MUTANTS: dict[str, Mutant] = {
    "pop_fetch": Mutant(
        f"{MODEL} promise", [("reserve", "redis.call('LPUSH', working, unpack(taken))", "")], bugs.popping_waits
    ),
    "popping_waits": Mutant("test_crash.py -k waiting", patch=bugs.popping_waits),
    "no_adoption": Mutant(f"{TROUBLE} 'answers and reserve'", patch=bugs.no_adoption),
    "blind_adoption": Mutant(f"{TROUBLE} 'answers and reserve'", patch=bugs.blind_adoption),
    "no_fence": Mutant(f"{MODEL} promise", [("settle", "== 1", ">= 0")]),
    "ack_before_retry": Mutant("test_crash.py -k inside_retry", patch=bugs.ack_before_retry),
    "no_second_settle": Mutant(f"{TROUBLE} 'answers and settle'", patch=bugs.no_second_settle),
    "no_thief": Mutant(f"{TROUBLE} sleeper", patch=bugs.no_thief),
    "reserve_for_the_reaped": Mutant(f"{MODEL} promise", [("reserve", "if lease < 0 then", "if false then")]),
    "front_is_back": Mutant(f"{MODEL} promise", [("reclaim", "redis.call('RPUSH'", "redis.call('LPUSH'")]),
    "no_second_look": Mutant(f"{MODEL} promise", [("reclaim", "return -1", "lease = lease")]),
    "forgetful_reaper": Mutant(
        f"{MODEL} promise",
        [
            (
                "reclaim",
                "redis.call('ZADD', KEYS[1], string.format('%.6f', -now), ARGV[1])",
                "redis.call('ZREM', KEYS[1], ARGV[1])",
            )
        ],
    ),
    "resurrection": Mutant(f"{MODEL} promise", [("lease", "or lease >= 0", "or true")]),
    "forgetful_retirement": Mutant(
        f"{MODEL} promise",
        [("retire", "redis.call('ZADD', KEYS[i], reaped, ARGV[1])", "redis.call('ZREM', KEYS[i], ARGV[1])")],
    ),
    "no_look_at_the_reaped": Mutant(f"{MODEL} promise", [("expired", "'-inf'", "'0'")]),
    "recoveries_do_not_count": Mutant(f"{MODEL} promise", [("reclaim", "redis.call('INCR', counter)", "1")]),
    "promotion_without_removal_check": Mutant(f"{MODEL} promise", [("promote", "if mine == 1 then", "if true then")]),
    "pop_then_push": Mutant("test_crash.py -k inside_promote", patch=bugs.pop_then_push),
    "retried_writes": Mutant(f"{TROUBLE} push", patch=bugs.retried_writes),
    "client_clock": Mutant(f"{TROUBLE} clock", patch=bugs.client_clock),
    "reap_at_boot": Mutant(f"{TROUBLE} killed", patch=bugs.reap_at_boot),
    "mortal_services": Mutant(f"{TROUBLE} 'answers and promote'", patch=bugs.mortal_services),
    "mortal_fetcher": Mutant(f"{TROUBLE} 'answers and settle'", patch=bugs.mortal_fetcher),
    "no_allow_oom": Mutant(f"{TROUBLE} full", patch=bugs.no_allow_oom),
    "no_second_load": Mutant(f"{TROUBLE} scripts", patch=bugs.no_second_load),
    "no_push_back": Mutant(f"{TROUBLE} stop", patch=bugs.no_push_back),
    "hasty_adoption": Mutant("test_engine.py -k adopted", patch=bugs.hasty_adoption),
    "lazy_reaper": Mutant("test_engine.py -k shortest", patch=bugs.lazy_reaper),
    "due_by_the_clients_clock": Mutant(f"{TROUBLE} clock", patch=bugs.due_by_the_clients_clock),
    "refused_for_good": Mutant("test_refusals.py -k 'save or demoted'", patch=bugs.refused_for_good),
    "stale_connections": Mutant("test_surroundings.py -k database", patch=bugs.stale_connections),
    "line_before_settle": Mutant("test_surroundings.py -k log", patch=bugs.line_before_settle),
    "values_only": Mutant("../security/test_fuzz.py", patch=bugs.values_only),
    "import_by_name": Mutant("../security/test_names.py", patch=bugs.import_by_name),
    "any_seal": Mutant("../security/test_seal.py -k forged", patch=bugs.any_seal),
    "nothing_hidden": Mutant("../security/test_redaction.py -k canary", patch=bugs.nothing_hidden),
    "labels_of_strangers": Mutant("../security/test_cardinality.py -k thousand", patch=bugs.labels_of_strangers),
    "no_object": Mutant("test_crash.py -k after_beat", patch=bugs.no_object),
}
