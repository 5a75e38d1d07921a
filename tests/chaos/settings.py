"""Settings of worker processes that die, or err, on purpose; what and where comes by environment."""

import json
import os

from tests.acceptance.settings import *  # noqa: F403
from tests.acceptance.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.app"]
if database := os.environ.get("KIQ_CHAOS_DATABASE"):
    DATABASES = {"default": json.loads(database)}
