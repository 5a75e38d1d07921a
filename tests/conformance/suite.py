"""`python -m tests.conformance.suite FOLDER`: run the translated tests that lie there; the last line counts them."""

import sys
import unittest
from importlib import import_module

import django
from django.conf import settings
from django.test.runner import DiscoverRunner

from kiq_django import store
from tests.conformance.translation import FILES, REASONS


class Runner(DiscoverRunner):
    """Tells how each test went, and forgets the jobs of those before."""

    def get_resultclass(self):
        return Result


class Result(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test):  # noqa: N802
        self.passed += 1
        super().addSuccess(test)

    def startTest(self, test):  # noqa: N802 - unittest's name
        if settings.KIQ["ADAPTER"] == "redis":
            store.get().link.call("FLUSHALL")
        super().startTest(test)


def main() -> int:
    """Run them. The exit code is 1 when one failed, or an exception from the rule is out of date."""
    django.setup()
    mode = settings.MODE
    sys.path.insert(0, sys.argv[1])
    modules = [import_module(f"tasks.{name}") for name in FILES[mode]]
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(loader.loadTestsFromModule(module) for module in modules)
    left_out = [name for name, reason in REASONS[mode].items() if _leave_out(modules, name, reason)]
    runner = Runner(verbosity=1, interactive=False)
    databases = runner.setup_databases()
    result = runner.run_suite(suite)
    runner.teardown_databases(databases)
    for name in left_out:
        print(f"  left out: {name.rpartition('.')[2]}: {REASONS[mode][name]}")
    failed = len(result.failures) + len(result.errors)
    print(f"COUNTS {result.passed} passed, {failed} failed, {len(left_out)} left out")
    return int(failed > 0 or len(left_out) != len(REASONS[mode]))


def _leave_out(modules, name, reason) -> bool:
    """Skip one. False when there is none of this name."""
    stem, cls, method = name.split(".")
    owner = next((getattr(m, cls, None) for m in modules if m.__name__.endswith(stem)), None)
    if owner is None or not hasattr(owner, method):
        return False
    setattr(owner, method, unittest.skip(reason)(getattr(owner, method)))
    return True


if __name__ == "__main__":
    sys.exit(main())
