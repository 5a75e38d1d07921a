import time
import pytest
from tests.admin.addresses import addresses
from tests.admin.world import World

def test_tmp(boss, store, person):
    world = World(store, "plain").make()
    from django.contrib.auth.models import User
    world.note(User.objects.get(username="boss"))
    for a in addresses():
        for u in a.with_each(world.things[0].kwargs()):
            t = time.perf_counter()
            r = boss.get(u)
            print(a.name, u, r.status_code, len(r.content), round(1000*(time.perf_counter()-t)))
    world.make()
    assert 0
