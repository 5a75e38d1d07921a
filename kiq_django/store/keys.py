"""Every key we touch, spelled once, with its Redis type.

Names without `kiq:` are Sidekiq's own (documented in its wiki and visible in any Redis it uses); the
real Sidekiq Web, API and clients read and write them. Store code asks by kind *and queue*, although
Sidekiq's layout ignores the queue for its sets: a layout that keeps everything of one queue in one
slot can then answer differently.

There are two layouts. In *sidekiq* all names are Sidekiq's. In *cluster* whatever belongs to one list carries the tag
`{<list>}` in front, and all else `{@}`, so that the keys of each script lie in one slot. Such a tag is nothing but a
prefix: store code holds the keys of the place that it works in, and never knows which layout they follow.
"""

from dataclasses import dataclass
from typing import Literal

SetName = Literal["schedule", "retry", "dead"]
HOME = "@"
"""The tag of what belongs to no list; no queue has such a name."""
SET_NAMES: tuple[SetName, ...] = ("schedule", "retry", "dead")


def name_of(member: bytes) -> str:
    """A name as Redis has it, which may be any bytes; `spelled` gives the same bytes again."""
    return member.decode(errors="surrogateescape")


def spelled(key: str) -> bytes:
    """A key with a name in it that came from `name_of`."""
    return key.encode(errors="surrogateescape")


def tagged(prefix: str, tag: str) -> str:
    """The prefix that puts all keys behind it into the slot of one tag."""
    return f"{prefix}{{{tag}}}:"


@dataclass(frozen=True, slots=True)
class Keys:
    """Sidekiq's layout, with an optional prefix for tests and shared servers."""

    prefix: str = ""

    # -- jobs -------------------------------------------------------------------------------------

    def queues(self) -> str:
        """Set: bare names of all queues that a job was ever pushed to."""
        return f"{self.prefix}queues"

    def queue(self, queue: str) -> str:
        """List: payloads; the head is the newest, the tail is fetched next."""
        return f"{self.prefix}queue:{queue}"

    def lists(self) -> str:
        """Set: names of all lists that jobs were ever pushed to, in the cluster layout."""
        return f"{self.prefix}kiq:lists"

    def paused(self, queue: str) -> str:
        """Set: bare names of queues that nobody fetches from."""
        return f"{self.prefix}paused"

    def pause_notes(self) -> str:
        """Hash: queue -> JSON of who paused it, when and why."""
        return f"{self.prefix}kiq:paused"

    def job_set(self, name: SetName, queue: str = "") -> str:
        """Sorted set: score is the due time (`schedule`, `retry`) or the time of death (`dead`), epoch seconds."""
        return f"{self.prefix}{name}"

    # -- reservation ------------------------------------------------------------------------------

    def served(self) -> str:
        """Set: names of the queues that have `owners`."""
        return f"{self.prefix}kiq:served"

    def owners(self, queue: str) -> str:
        """Sorted set: owner -> end of its lease by the server's clock; minus the time of the reaping once reaped."""
        return f"{self.prefix}kiq:owners:{queue}"

    def working(self, queue: str, owner: str) -> str:
        """List: payloads of `queue` that `owner` has taken; the head is the newest."""
        return f"{self.prefix}kiq:working:{queue}:{owner}"

    def recovered(self, queue: str, jid: str) -> str:
        """String: how often this job was taken back from a dead owner; expires."""
        return f"{self.prefix}kiq:recovered:{jid}"

    def suspects(self, queue: str) -> str:
        """List: payloads that were twice taken back from a dead owner; the tail is let out next."""
        return f"{self.prefix}kiq:suspects:{queue}"

    def suspect_out(self) -> str:
        """Hash: `queue` and `raw` of the suspect that may run; expires."""
        return f"{self.prefix}kiq:suspect"

    def suspect_turn(self) -> str:
        """String: somebody lets a suspect out of one of several slots just now; expires within seconds."""
        return f"{self.prefix}kiq:suspect:turn"

    def job(self, queue: str, jid: str) -> str:
        """Hash: what is known of a job that failed: place, attempts, end (`store/records.py`); expires."""
        return f"{self.prefix}kiq:job:{jid}"

    def delivered(self, queue: str, jid: str) -> str:
        """String: this job was pushed out of an outbox, whose row may still be there; expires."""
        return f"{self.prefix}kiq:delivered:{jid}"

    def relay(self) -> str:
        """String: a worker looks into the outboxes just now; expires within seconds."""
        return f"{self.prefix}kiq:relay"

    def groups(self, name: Literal["retry", "dead"]) -> str:
        """Hash: `done`, `begun`: failures of a set by kind, as last counted and as far as they are counted; expires."""
        return f"{self.prefix}kiq:groups:{name}"

    def groups_guard(self, name: Literal["retry", "dead"]) -> str:
        """String: somebody is counting the failures of this set right now; expires within seconds."""
        return f"{self.prefix}kiq:groups:{name}:guard"

    def unroutable(self, queue: str) -> str:
        """Set: names of jobs of this queue that wait in the retry set for a worker that declares them; expires."""
        return f"{self.prefix}kiq:unroutable:{queue}"

    def iteration(self, jid: str) -> str:
        """Hash: progress of a job of Ruby's that iterates, since 7.3: `ex`, `c`, `rt`, `cancelled`. Reserved for it."""
        return f"{self.prefix}it-{jid}"

    # -- processes --------------------------------------------------------------------------------

    def processes(self) -> str:
        """Set: identities of worker processes."""
        return f"{self.prefix}processes"

    def process(self, identity: str) -> str:
        """Hash: info, concurrency, busy, beat, rtt_us, quiet, rss; or `left`, once it has left; expires 60 s later."""
        return f"{self.prefix}{identity}"

    def work(self, identity: str) -> str:
        """Hash: thread -> JSON of the job that it runs. Read by Sidekiq from 6.4.2 on."""
        return f"{self.prefix}{identity}:work"

    def workers(self, identity: str) -> str:
        """Hash: the same under the name that Sidekiq up to 6.4.1 reads."""
        return f"{self.prefix}{identity}:workers"

    def signals(self, identity: str) -> str:
        """List: `TSTP`, `TERM`, `TTIN` for a process; one is taken at each beat."""
        return f"{self.prefix}{identity}-signals"

    def cleanup_guard(self) -> str:
        """String: somebody removed dead processes from `processes` within the last minute."""
        return f"{self.prefix}process_cleanup"

    # -- operations -------------------------------------------------------------------------------

    def operations(self) -> str:
        """Sorted set: ids of operations by the time of their start."""
        return f"{self.prefix}kiq:operations"

    def open_operations(self) -> str:
        """Set: ids of those that have not ended."""
        return f"{self.prefix}kiq:operations:open"

    def operation(self, operation: str) -> str:
        """Hash: what is to be done with which jobs, who started it, and how far it is; expires after its end."""
        return f"{self.prefix}kiq:operation:{operation}"

    # -- counters ---------------------------------------------------------------------------------

    def stat(self, name: Literal["processed", "failed"], day: str = "") -> str:
        """String: an integer, of all time or of one UTC day `YYYY-MM-DD`."""
        return f"{self.prefix}stat:{name}:{day}" if day else f"{self.prefix}stat:{name}"

    def metrics(self, bucket: str) -> str:
        """Hash: `<job>|p`, `|f`, `|ms` of one minute or ten minutes."""
        return f"{self.prefix}j|{bucket}"

    def run_histogram_7(self, name: str, minute: str) -> str:
        """String: 26 unsigned 16-bit counters of run times of one job in one minute, as Sidekiq 7 names it."""
        return f"{self.prefix}{name}-{minute}"

    def run_histogram_8(self, name: str, minute: str) -> str:
        """The same as Sidekiq 8 names it."""
        return f"{self.prefix}h|{name}-{minute}"

    def figures(self, name: str, bucket: str) -> str:
        """String: counters of one job in one minute, ten minutes or hour (`store/metrics.py` says which)."""
        return f"{self.prefix}kiq:figures:{bucket}:{name}"

    def ran(self, day: str) -> str:
        """Sorted set: job -> its runs on one UTC day `yyyymmdd`."""
        return f"{self.prefix}kiq:ran:{day}"

    def minutes(self, bucket: str) -> str:
        """Hash: `MM|p`, `MM|f` of all jobs in one UTC hour `yyyymmddHH`."""
        return f"{self.prefix}kiq:minutes:{bucket}"

    def ten_minutes(self, bucket: str) -> str:
        """Hash: `HHM|p`, `HHM|f` of all jobs on one UTC day `yyyymmdd`."""
        return f"{self.prefix}kiq:ten_minutes:{bucket}"

    def hours(self, bucket: str) -> str:
        """Hash: `HH|p`, `HH|f` of all jobs on one UTC day `yyyymmdd`."""
        return f"{self.prefix}kiq:hours:{bucket}"

    def flow(self, bucket: str) -> str:
        """Hash: `o|<queue>` runs that ended, `x|<queue>` jobs taken out otherwise, in a minute or ten minutes."""
        return f"{self.prefix}kiq:flow:{bucket}"

    def sizes(self, minute: str) -> str:
        """Hash: `q|<queue>` what was in it at the begin of a minute, `all` whether every queue was looked at."""
        return f"{self.prefix}kiq:sizes:{minute}"

    def sizes_guard(self, minute: str) -> str:
        """String: somebody measures the queues at the begin of this minute."""
        return f"{self.prefix}kiq:sized:{minute}"

    def sidekiq_seen(self) -> str:
        """String: when a worker that is not ours was last seen, epoch seconds; expires."""
        return f"{self.prefix}kiq:sidekiq_seen"

    def marks(self, day: str) -> str:
        """Hash: minute -> label of a deploy on one UTC day `YYYYMMDD`."""
        return f"{self.prefix}{day}-marks"

    def mark_guard(self, label: str) -> str:
        """String: somebody has noted this deploy within the last minute."""
        return f"{self.prefix}deploylock-{label}"
