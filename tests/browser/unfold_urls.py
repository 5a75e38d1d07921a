"""The dashboard on an admin site of django-unfold, which brings templates and a style of its own."""

from django.urls import path
from unfold.sites import UnfoldAdminSite

import kiq_django.admin

site = UnfoldAdminSite(name="admin")
kiq_django.admin.register(site)
urlpatterns = [path("admin/", site.urls)]
