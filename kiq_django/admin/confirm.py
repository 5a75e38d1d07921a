"""Asking before something is done: the admin's own kind of page, with the size of the deed and a reason.

A view builds a `Question` and calls `ask`. The answer is a page to return, or None: then the person has said yes
on that page. What the first form sent is repeated by the second, so a view needs no memory between the two.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kiq_django.admin import back
from kiq_django.admin.audit import LONGEST_REASON

if TYPE_CHECKING:
    from kiq_django.admin.page import Page

TYPED_FROM = 1_000
"""Destroying more than this asks for the number to be typed."""
LONGEST_NUMBER = 20
"""Digits."""


class Reason(forms.Form):
    """The form of a question without options of its own; others derive from it."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=LONGEST_REASON,
        help_text=gettext_lazy("For the audit log; you may leave it empty."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    token = forms.CharField(widget=forms.HiddenInput, max_length=32, required=False)
    """The same in each sending of one page, so that a second click does nothing twice."""

    def __init__(self, *args: Any, typed: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.typed = typed
        if typed is not None:
            # In a place that works the number changes all the time: what counts is the one that was asked for.
            asked = self.data.get("asked", "")[:LONGEST_NUMBER]
            self.typed = int(asked) if asked.isdecimal() else typed
            self.fields["asked"] = forms.CharField(widget=forms.HiddenInput, initial=typed, required=False)
            self.fields["count"] = forms.CharField(
                label=_("Type %(count)s to confirm") % {"count": self.typed},
                widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
            )

    def clean_count(self) -> str:
        """The number, as it was asked for."""
        text: str = self.cleaned_data["count"]
        if "".join(each for each in text if each.isalnum()) != str(self.typed):
            raise forms.ValidationError(_("This is not the number. Nothing was changed."))
        return text


@dataclass(slots=True, kw_only=True)
class Question:
    """What is about to happen."""

    title: str
    text: str
    """What will become of it, in a sentence or two."""
    button: str
    """`Yes, retry 29 jobs`."""
    danger: bool = False
    """It cannot be undone."""
    facts: Sequence[tuple[str, Any]] = ()
    """Label and value: how many of which, the oldest, the newest."""
    samples: Sequence[str] = ()
    """The first few, in words."""
    form: type[Reason] = Reason
    initial: dict[str, Any] = field(default_factory=dict)
    typed: int | None = None
    """A number that must be typed."""


def ask(
    page: Page, request: HttpRequest, question: Question, *, repeat: Mapping[str, str] | None = None
) -> HttpResponse | dict[str, Any]:
    """The page that asks, or the cleaned fields of its form once they have come back in order.

    Args:
        repeat: hidden fields that a question needs which a link, not a form, has led to.
    """
    confirmed = "confirmed" in request.POST
    fresh = {"token": secrets.token_hex(8), **question.initial}
    form = question.form(request.POST if confirmed else None, initial=fresh, typed=question.typed)
    if confirmed and form.is_valid():
        return dict(form.cleaned_data)
    own = {*form.fields, "csrfmiddlewaretoken", "confirmed"}
    repeated = [(name, value) for name, values in request.POST.lists() if name not in own for value in values]
    origin = back.back(request)
    given = {**(repeat or {}), **({back.FIELD: origin} if origin else {})}
    repeated += [(name, value) for name, value in given.items() if name not in request.POST]
    return page.render(
        request, "confirm.html", title=question.title, question=question, form=form, repeated=repeated, back=origin
    )
