"""Where the desk's pages, the admin and the thumbnails are."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.static import serve

urlpatterns = [
    path("admin/", admin.site.urls),
    # A web server's work; gunicorn alone has to do for the demo.
    path("media/<path:path>", serve, {"document_root": settings.MEDIA_ROOT}, name="media"),
    path("", include("example_project.desk.urls")),
]
