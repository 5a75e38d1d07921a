"""Run the client of a contestant: `run.py MODULE COMMAND ...`; imported by its name, so that workers find its jobs."""

import importlib
import sys

import probe

module = importlib.import_module(sys.argv.pop(1))
probe.main(module.client())
