"""Parts of pages that a browser fetches again and again: at most 5 kB, and nothing at all while nothing has changed."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers
from django.utils.http import parse_etags

RELATIVE_TIMES: Final = re.compile(rb"(<time[^>]*data-kiq-time[^>]*>)[^<]*(?=</time>)")


def fragment(request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
    """A part of a page for `data-kiq-live`, or an empty answer (304) when the browser has it already.

    Args:
        request: its `If-None-Match` names what the browser has.
        template: the part alone, such as `admin/kiq/parts/numbers.html`; the page includes the same one.
        context: what the template needs. Whatever changes at each call, such as a count of seconds, makes each
            answer new; moments shown by `kiq_time` do not, because the browser's script keeps them fresh.
    """
    body = render_to_string(template, dict(context), request).encode(errors="replace")
    tag = etag(body)
    known = parse_etags(request.headers.get("If-None-Match", ""))
    response: HttpResponse = HttpResponseNotModified() if tag in known else HttpResponse(body)
    response.headers["ETag"] = tag
    add_never_cache_headers(response)  # what stands here is not for the disks of browsers and proxies
    return response


def etag(body: bytes) -> str:
    """A weak entity tag: the same for bodies that differ in nothing but the words of relative times."""
    digest = blake2b(RELATIVE_TIMES.sub(rb"\1", body), digest_size=12)
    return f'W/"{digest.hexdigest()}"'
