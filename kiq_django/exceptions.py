"""Every error of the package, and apart from them the exceptions that steer a job's life."""


class KiqError(Exception):
    """Base of every error that kiq_django raises."""


class ConfigurationError(KiqError):
    """A setting, an option or the server does not allow us to work."""


class DuplicateJobError(ConfigurationError):
    """Two functions claim the same job name."""


class ArgumentError(KiqError, TypeError):
    """An argument cannot be stored in a payload."""


class PayloadError(KiqError, ValueError):
    """A payload cannot be written: too large, or not JSON."""


class MalformedPayload(KiqError, ValueError):  # noqa: N818 - a state of data, named as the documentation names it
    """Bytes from Redis are not a job. They are kept, never dropped."""


class NeverRun(KiqError):  # noqa: N818
    """A job was not begun, because it is not for this process. Whatever it says about retries, it is kept."""


class Oversized(NeverRun):
    """A job is larger than a worker may read (`KIQ["LIMITS"]["worker_payload"]`)."""


class UnknownJob(NeverRun, LookupError):  # noqa: N818
    """No loaded code declares a job of this name."""


class ForeignBatch(NeverRun):
    """A job belongs to a batch of Sidekiq Pro (`bid`), of which only Sidekiq Pro can keep the count."""


class ReferenceGone(KiqError, LookupError):  # noqa: N818
    """The database row that an argument refers to does not exist (any more)."""


class Unsupported(KiqError, NotImplementedError):  # noqa: N818
    """The chosen adapter or server does not have this ability."""


class StoreError(KiqError):
    """Redis did not do what was asked. For a push the outcome is unknown unless a subclass says otherwise."""


class StoreUnavailable(StoreError):  # noqa: N818
    """Redis cannot be reached, is loading, or went away during the call."""


class StoreRefused(StoreError):  # noqa: N818
    """Redis answered, and refused: full, read-only, cannot persist, or no permission. Nothing was written."""


class QueueFull(StoreRefused):
    """As many jobs wait in a queue as its limit allows. Nothing was written."""


class NotReplicated(StoreError):  # noqa: N818
    """The jobs are stored and will run, but fewer replicas than wanted have them: a failover now could lose them.

    Enqueueing again would run them twice.
    """


class JobTimeout(KiqError):  # noqa: N818
    """A job ran longer than its `timeout`."""


class Steer(Exception):  # noqa: N818
    """Base of the exceptions by which a job's code decides its own end."""


class Discard(Steer):
    """Raise inside a job: it ends here. No retry, no dead set; death handlers run."""


class Expired(Discard):
    """A job came too late: the time in its `expires_at` was over before a worker began it."""


class Kill(Steer):
    """Raise inside a job: it goes to the dead set now, whatever retries are left."""


class ResultError(KiqError, Kill):
    """What a job returned cannot be kept. It has done its work, so it is not run again."""


class ResultNotKept(KiqError, LookupError):  # noqa: N818
    """The job was not declared with `result`, so what it returns is thrown away."""


class ResultGone(KiqError, LookupError):  # noqa: N818
    """Nothing is known of this result: expired, not committed, deleted, or never there."""


class ResultTimeout(KiqError, TimeoutError):  # noqa: N818
    """The job is not over yet."""


class JobFailed(KiqError):  # noqa: N818
    """The job whose result was awaited failed for good."""

    def __init__(self, job: str, jid: str, error_class: str, message: str, traceback: str) -> None:
        self.job = job
        self.jid = jid
        self.error_class = error_class
        """Dotted path of the class of what it raised last."""
        self.message = message
        self.traceback = traceback
        """The worker's, as text."""
        told = f"{error_class}: {message}" if message else error_class
        super().__init__(f"{job} {jid} failed: {told}" + (f"\n\nIn the worker: {traceback}" if traceback else ""))

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        return type(self), (self.job, self.jid, self.error_class, self.message, self.traceback)


class ResultTypeError(ResultError, TypeError):
    """It is of a type that JSON lacks. `TaskResult.errors` tells of it as the `TypeError` that it is."""
