"""Links to the pages of queues, jobs and processes, on whichever admin site the page is."""

from collections.abc import Sequence
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from kiq_django.admin import links
from kiq_django.templatetags.kiq import kiq_number, kiq_percent

register = template.Library()


@register.simple_tag(takes_context=True)
def kiq_link(context: Context, kind: str, key: Any, label: Any = None) -> SafeString:
    """A link to one thing: `{% kiq_link "queue" name %}`; its bare name where it has no page."""
    text = str(key if label is None else label)
    url = links.url_of(kind, str(key), _site(context))
    return format_html('<a href="{}">{}</a>', url, text) if url else format_html("{}", text)


@register.simple_tag(takes_context=True)
def kiq_list(context: Context, kind: str, number: Any = None) -> SafeString:
    """A link to a list, with a number as its text where one is given: `{% kiq_list "dead" 37 %}`."""
    text = capfirst(links.word_for(kind)) if number is None else kiq_number(number)
    url = links.url_of(kind, "", _site(context))
    return format_html('<a href="{}">{}</a>', url, text) if url else format_html("{}", text)


@register.simple_tag(takes_context=True)
def kiq_links(context: Context, found: Sequence[tuple[str, str]]) -> SafeString:
    """The links of a diagnosis, each after an arrow."""
    pairs = [(links.url_of(kind, key, _site(context)), links.title_of(kind, key)) for kind, key in found]
    return format_html_join("", ' <a class="kiq-see" href="{}">{}</a>', [pair for pair in pairs if pair[0]])


@register.filter
def kiq_sentence(text: Any) -> str:
    """A text that begins with a large letter, unless it begins with a dotted name, which is written as it is."""
    words = str(text)
    return words if "." in words.partition(" ")[0].rstrip(".,:;") else capfirst(words)


@register.filter
def kiq_less(share: Any) -> str:
    """A negative share as people say it: 12 %, not -12 %."""
    return kiq_percent(-share if isinstance(share, float) else None)


@register.simple_tag(takes_context=True)
def kiq_address(context: Context, name: str, *args: Any) -> str:
    """The address of a view of ours, on the admin site of the page: `{% kiq_address "job_act" jid %}`."""
    return reverse(f"admin:kiq_{name}", args=[str(each) for each in args], current_app=_site(context))


def _site(context: Context) -> str:
    return getattr(context.get("request"), "current_app", None) or "admin"
