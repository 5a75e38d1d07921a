"""The page of settings: read-only, and it tells no password."""

from kiq_django import conf

PAGE = "/admin/kiq/configuration/"


def test_the_settings_in_force_and_what_the_doctor_says(viewer, settings):
    settings.KIQ = {**settings.KIQ, "DEFAULTS": {"retry": 7}, "QUEUES": {"mail": {"weight": 3, "latency": 10}}}
    page = viewer.get(PAGE).content.decode()
    for text in ("KIQ[&#x27;DEFAULTS&#x27;]", "weight 3, latency 10", "tests.jobsapp.jobs.invoice", "round trip"):
        assert text in page
    row = '<code>retry</code></th><td data-label="Value"><code>7</code></td><td data-label="From">settings</td>'
    assert row in page


def test_no_password_is_shown(viewer, settings, server_url):
    address = server_url.replace("unix://", "unix://ada:canary@")
    settings.KIQ = {**settings.KIQ, "REDIS": address}
    conf.reset()
    assert "canary" not in viewer.get(PAGE).content.decode()


def test_unusable_settings_are_a_page(viewer, settings):
    settings.KIQ = {**settings.KIQ, "QUEUSE": ["mail"]}
    page = viewer.get(PAGE)
    assert page.status_code == 503
    assert "QUEUES" in page.content.decode()
