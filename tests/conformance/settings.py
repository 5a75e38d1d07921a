"""For Django's tests: nothing waits for a commit and nothing is tried again, as in Django's own backends."""

import os

from tests.settings import *  # noqa: F403

MODE = os.environ["KIQ_CONFORMANCE_MODE"]
KIQ = {
    "ADAPTER": {"inline": "inline", "memory": "test", "worker": "redis", "redis": "redis"}[MODE],
    "REDIS": os.environ.get("KIQ_CONFORMANCE_REDIS", "redis://127.0.0.1:6379/0"),
    "DEFAULTS": {"retry": 0, "on_commit": False},
    "FEATURES": [],
}
