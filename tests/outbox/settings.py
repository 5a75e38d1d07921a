"""Settings of the processes that the tests of the outbox start; the database comes by environment."""

import json
import os

from tests.acceptance.settings import *  # noqa: F403
from tests.acceptance.settings import DATABASES, INSTALLED_APPS

DATABASES = json.loads(os.environ.get("KIQ_TEST_DATABASES", "{}")) or DATABASES
INSTALLED_APPS = [*INSTALLED_APPS, "kiq_django.outbox"]
