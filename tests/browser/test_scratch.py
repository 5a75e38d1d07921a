from tests.browser.looks import shot
import pytest
from tests.browser.looks import axe
@pytest.mark.parametrize("a",["","deadjob"])
def test_x(boss_page, put, put_many, beat, a):
    put_many("dead",8); put_many("retry",3); put_many("queue",8)
    beat("web-2:4121:abc")
    r=boss_page.goto(f"/admin/kiq/{a}/".replace("//","/"))
    shot(boss_page, "p-"+(a.replace("/","-") or "overview"))
    axe(boss_page)
