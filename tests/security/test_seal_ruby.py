"""The real Sidekiq reads a sealed job, writes it anew, and the seal holds."""

from kiq_django.features.seal import refuse_forged, sealed
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry

ARGUMENTS = [1, 1.0, 1e16, 1.5e-7, 2**64, -0.0, None, True, 'ü \u2028 "\\', {"b": [], "a": {"$kiq": "x"}}, [[]]]


def test_ruby_retries_a_sealed_job(ruby, store, kiq, waiting):
    kiq(FEATURES=["kiq_django.features.seal"])
    payload = sealed(Payload.new("j", ARGUMENTS, {"k": 1}, queue="default", retry=5, now=1795318639.913464, tags=["x"]))
    failed = payload.evolve(retry_count=2, failed_at=1.5, error_class="E", error_message="m")
    store.sets.add("retry", failed.encode(), 5.5)
    ruby("act", [["retry", "retry", payload.jid]])
    (raw,) = waiting()
    assert raw != failed.encode()
    refuse_forged(Payload.decode(raw))


def test_ruby_moves_a_scheduled_job(ruby, store, kiq, waiting):
    kiq(FEATURES=["kiq_django.features.seal"])
    payload = sealed(Payload.new("j", ARGUMENTS, {}, queue="mail", retry=True, now=1795318639.913464))
    store.queues.push([Entry("mail", payload.encode(), 5e9)])
    ruby("act", [["schedule", "add_to_queue", payload.jid]])
    (raw,) = waiting("mail")
    refuse_forged(Payload.decode(raw))
