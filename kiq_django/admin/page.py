"""What all pages share: who may see them, what they show when Redis fails, the strip of links above."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from kiq_django import conf
from kiq_django.admin import links, navigation
from kiq_django.admin.back import back
from kiq_django.exceptions import ConfigurationError, StoreError, StoreRefused, StoreUnavailable

View = Callable[..., HttpResponse]

if TYPE_CHECKING:
    _Admin = ModelAdmin[Model]
else:
    _Admin = ModelAdmin


class Page(_Admin):
    """A page of the dashboard: read-only rows that are in Redis, not in the database."""

    class Media:
        css = {"all": ["kiq/kiq.css"]}
        js = ["kiq/kiq.js"]

    show_full_result_count = True
    actions_on_top = True

    # -- rights: nobody adds, changes or deletes through Django's own forms ------------------------

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    # -- views -------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """The list at the page's own address, and what `more_urls` adds. Django's forms have none."""
        info = (self.opts.app_label, self.opts.model_name)
        listing = path("", self.wrap(self.changelist_view), name="{}_{}_changelist".format(*info))
        return [listing, *self.more_urls()]

    def more_urls(self) -> list[URLPattern]:
        """Further addresses below the page's own; wrap each view with `self.wrap`."""
        return []

    def wrap(self, view: View) -> View:
        """A view for the members of staff that the admin site lets in, that never ends in a 500 for Redis' sake."""

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            request.current_app = self.admin_site.name
            try:
                response = view(request, *args, **kwargs)
                # Pages are rendered here, so that what a template reads from Redis fails here as well.
                return _rendered(response) if isinstance(response, TemplateResponse) else response
            except (StoreError, ConfigurationError) as error:
                return self.excuse(request, error)

        return self.admin_site.admin_view(guarded)

    def excuse(self, request: HttpRequest, error: Exception) -> HttpResponse:
        """Say what is wrong with Redis: in place of a page, or after an action. One that is refused changes nothing."""
        if request.method == "POST" and isinstance(error, StoreRefused):
            messages.error(request, str(error))
            return HttpResponseRedirect(self._origin(request))
        is_deed = request.method == "POST"
        again = self._origin(request) if is_deed else ""
        context = self.context(request, title=_title(error), error=error, nav=None, is_deed=is_deed, again=again)
        return _rendered(TemplateResponse(request, "admin/kiq/away.html", context, status=503))

    def _origin(self, request: HttpRequest) -> str:
        return back(request) or links.url_of_list(self.model, self.admin_site.name)

    def context(self, request: HttpRequest, **more: Any) -> dict[str, Any]:
        """What every template of ours needs."""
        shared = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "kiq": conf.get().dashboard if "error" not in more else None,
        }
        if "nav" not in more:
            shared["nav"] = navigation.links(request, self.admin_site, current=self.opts.model_name or "")
        return {**shared, **more}

    def render(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        """A page of ours, within the admin's frame."""
        return TemplateResponse(request, f"admin/kiq/{template}", self.context(request, **context))

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        """A list in the admin's own way, with what our templates need beside it."""
        context = self.context(request)
        context.pop("media")  # the list adds its own to it
        return super().changelist_view(request, {**context, **(extra_context or {})})


def _title(error: Exception) -> str:
    if isinstance(error, ConfigurationError):
        return _("The settings cannot be used")
    return _("Redis does not answer") if isinstance(error, StoreUnavailable) else _("Redis answers with an error")


def _rendered(page: TemplateResponse) -> TemplateResponse:
    """Strangers may have written half characters, which no answer can hold: they become question marks."""
    page.content = page.rendered_content.encode(page.charset, "replace")
    return page
