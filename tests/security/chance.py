"""How hypothesis searches here."""

from hypothesis import HealthCheck, settings

patient = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""Without limits of time, on a machine that others use too."""
