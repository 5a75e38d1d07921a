"""The app's entry in Django's list."""

from django.apps import AppConfig


class DeskConfig(AppConfig):
    name = "example_project.desk"
    verbose_name = "Photo and order desk"
