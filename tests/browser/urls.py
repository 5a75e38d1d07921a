"""The admin of the tests, and one page more: every component of the look with sample data."""

from django.urls import path

from tests.admin.urls import urlpatterns as admin_urls
from tests.browser import guide

urlpatterns = [
    path("guide/", guide.page, name="guide"),
    path("guide/numbers/", guide.numbers, name="guide-numbers"),
    *admin_urls,
]
