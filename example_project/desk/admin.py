"""The desk's rows in the admin: to look things up, not to change them behind the jobs' backs."""

from django.contrib import admin

from example_project.desk import models


class ReadOnly(admin.ModelAdmin):
    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False


@admin.register(models.Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["number", "customer", "photo", "size", "quantity", "total", "placed_at", "cancelled"]
    list_filter = ["photo", "size", "cancelled"]
    search_fields = ["number", "customer", "email"]
    raw_id_fields = ["chunk"]


@admin.register(models.Run)
class RunAdmin(ReadOnly):
    list_display = ["jid", "name", "queue", "retries", "outcome", "seconds", "started_at", "worker", "error"]
    list_filter = ["outcome", "job", "queue"]
    search_fields = ["jid", "error"]


@admin.register(models.Import)
class ImportAdmin(ReadOnly):
    list_display = ["__str__", "file", "rows", "uploaded_at"]


@admin.register(models.BadRow)
class BadRowAdmin(ReadOnly):
    list_display = ["line", "trouble", "text", "chunk"]
    search_fields = ["trouble", "text"]


admin.site.register(
    [models.Thumbnail, models.Rate, models.Report, models.Shipment, models.Receipt, models.Reminder], ReadOnly
)
admin.site.site_header = "Photo and order desk"
admin.site.site_title = "Desk"
admin.site.site_url = "/"
