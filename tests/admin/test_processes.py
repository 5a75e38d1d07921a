"""Processes: the list, and what one may tell them."""

import pytest
from django.contrib.admin.models import LogEntry

LIST = "/admin/kiq/process/"
ME = "host:1:aa"


def act(client, verb, *keys, **more):
    return client.post(LIST, {"action": verb, "index": 0, "_selected_action": keys, **more})


def test_the_list_says_who_serves_what(viewer, beat):
    beat(ME)
    page = viewer.get(LIST)
    assert page.status_code == 200
    for text in ("host:1:aa", "default, mail", "0 of 5"):
        assert text in page.content.decode()
    assert page.context["action_form"] is None, "a viewer has no actions"


@pytest.mark.parametrize(("verb", "signal"), [("quiet", b"TSTP"), ("stop", b"TERM"), ("dump", b"TTIN")])
def test_a_signal_is_sent_once_it_is_confirmed(operator, store, beat, verb, signal):
    beat(ME)
    asked = act(operator, verb, ME)
    assert "host:1:aa" in asked.content.decode()
    assert store.link.call("LRANGE", store.keys.signals(ME), 0, -1) == []
    done = act(operator, verb, ME, confirmed="yes", reason="deploy")
    assert done.status_code == 302
    assert store.link.call("LRANGE", store.keys.signals(ME), 0, -1) == [signal]
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id) == ("otto", ME)
    assert "deploy" in entry.change_message


def test_a_viewer_sends_no_signal(viewer, store, beat):
    beat(ME)
    act(viewer, "stop", ME, confirmed="yes")
    assert store.link.call("LRANGE", store.keys.signals(ME), 0, -1) == []
    assert not LogEntry.objects.exists()


def test_a_process_has_a_page(viewer, beat):
    beat(ME)
    assert viewer.get(f"{LIST}{ME}/").status_code == 200
    assert "does not live" in viewer.get(f"{LIST}gone:1:bb/").content.decode()
