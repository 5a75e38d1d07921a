"""What the admin's pages do with secrets, as far as it hangs on what is here."""

import pytest

from kiq_django.admin.uncovering import uncover
from kiq_django.redaction import redact
from tests.admin.conftest import person, viewer, views

__all__ = ["person", "viewer", "views"]

CANARY = "canary-canary-canary"


@pytest.mark.django_db
def test_the_page_of_settings_shows_no_key(viewer, store, kiq):
    kiq(SEAL={"keys": [CANARY], "required": False})
    page = viewer.get("/admin/kiq/configuration/").content.decode()
    assert "KIQ[&#x27;SEAL&#x27;]" in page
    assert "required" in page
    assert CANARY not in page


@pytest.mark.parametrize(
    "args",
    [
        ["redis://user:pw@host/0"],
        [{"note": "token=abc, x=1"}],
        [list(range(20_000))],
    ],
    ids=["url", "text", "long list"],
)
def test_what_is_hidden_stays_when_a_job_is_edited(args):
    assert uncover(redact(args), args, redact(args)) == args
