"""Django's own tests of `django.tasks`, run against our backend: `make conformance`."""
