"""Visits the pages as a browser does: with cookies, and by sending the forms."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http.cookiejar import CookieJar
from urllib.parse import urlencode

PAGES = ("/", "/photos/", "/orders/", "/imports/", "/mails/", "/office/", "/runs/", "/admin/login/")
SHEETS = ("/static/desk/desk.css", "/static/admin/css/base.css")
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
SECONDS = 20


class Visitor:
    """A browser without a window."""

    def __init__(self, address: str) -> None:
        self._address = address
        # No proxy, whatever the environment says: this is about our own machine.
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(*handlers)

    def tour(self) -> Iterator[str]:
        """Visit all pages and style sheets; say which of them do not answer well."""
        for path in (*PAGES, *SHEETS):
            try:
                self.get(path)
            except urllib.error.URLError as error:
                yield f"{path} answers {error}"

    def get(self, path: str) -> str:
        """Return a page. Raises URLError for any other answer than a good one."""
        with self._opener.open(self._address + path, timeout=SECONDS) as answer:
            return answer.read().decode()

    def send(self, path: str, fields: Mapping[str, object]) -> str:
        """Send the form on a page and return the page that follows."""
        [token, *_] = TOKEN.findall(self.get(path))
        body = urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
        with self._opener.open(self._address + path, body, timeout=SECONDS) as answer:
            return answer.read().decode()
