"""Several worker processes under one parent: started, watched, replaced, told of signals, stopped together."""

from kiq_django.management.processes.child import ToParent, is_child
from kiq_django.management.processes.parent import Parent
from kiq_django.management.processes.plan import Plan
from kiq_django.management.processes.trial import is_trial

__all__ = ["Parent", "Plan", "ToParent", "is_child", "is_trial"]
