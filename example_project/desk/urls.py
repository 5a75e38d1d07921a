"""The desk's pages."""

from django.urls import path

from example_project.desk import views

app_name = "desk"
urlpatterns = [
    path("", views.home, name="home"),
    path("start/<slug:slug>/", views.start, name="start"),
    path("photos/", views.photos, name="photos"),
    path("orders/", views.orders, name="orders"),
    path("imports/", views.imports, name="imports"),
    path("mails/", views.mails, name="mails"),
    path("mails/<str:name>/", views.mail, name="mail"),
    path("office/", views.office, name="office"),
    path("runs/", views.runs, name="runs"),
]
