"""The default admin site, and one of a project's own under another name and address."""

from django.contrib import admin
from django.urls import path

import kiq_django.admin

own_site = admin.AdminSite(name="backoffice")
own_site.site_header = "Back office"
kiq_django.admin.register(own_site)

urlpatterns = [path("admin/", admin.site.urls), path("office/", own_site.urls)]
