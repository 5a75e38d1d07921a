"""Sidekiq's monitor for the terminal, on our data."""

import os
import shutil
import subprocess

import pytest

from kiq_django.api import ProcessSet
from tests.support import wait_for

pytestmark = pytest.mark.acceptance


def test_sidekiqmon(sidekiq, our_worker, push, server_url):
    program = shutil.which("sidekiqmon")
    assert program, "the package ruby-sidekiq brings it"
    our_worker("-g", "shopfront").ready()
    push("PatientWorker", 1)
    push("HardWorker", 1, queue="elsewhere")
    [process] = wait_for(lambda: [each for each in ProcessSet() if each.work])
    environment = {**os.environ, "REDIS_URL": server_url, "LANG": "C.UTF-8"}
    done = subprocess.run([program, "all"], env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert all(text in done.stdout for text in (process.identity, "shopfront", "elsewhere"))
    assert "Error" not in done.stdout + done.stderr
