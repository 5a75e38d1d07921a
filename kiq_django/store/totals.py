"""How many runs ended, of all jobs together: by minute, by ten minutes and by hour. For charts, few keys each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kiq_django.store.keys import Keys
from kiq_django.store.link import Link
from kiq_django.store.steps import DAY, HOUR, MINUTE, TEN_MINUTES, Step


class Sheet(NamedTuple):
    """One hash holds many steps, so that a chart reads few keys."""

    key: Callable[[Keys, str], str]
    span: Step
    """What one hash holds."""
    expiry: int
    """Seconds that it is kept after the last write."""


SHEETS: Mapping[Step, Sheet] = {
    MINUTE: Sheet(Keys.minutes, HOUR, 14_400),
    TEN_MINUTES: Sheet(Keys.ten_minutes, DAY, 4 * 86_400),
    HOUR: Sheet(Keys.hours, DAY, 40 * 86_400),
}
"""A field is `<rest>|p` or `<rest>|f`, with that part of the step's name which the key does not have."""


class Totals:
    """Runs and failures that the workers of this program have counted in one Redis."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def write(self, pipe: Any, runs: int, failures: int, now: float) -> None:
        """Have a pipeline add to the steps that `now` lies in."""
        for step, sheet in SHEETS.items():
            key = self._key(sheet, now)
            field = step.bucket(now)[sheet.span.digits :]
            pipe.hincrby(key, f"{field}|p", runs)
            if failures:
                pipe.hincrby(key, f"{field}|f", failures)
            pipe.expire(key, sheet.expiry)

    def read(self, step: Step, begins: Sequence[int]) -> list[tuple[int, int]]:
        """Runs and failures of each step, in one round trip. Of what is not kept any more they are 0."""
        sheet, pipe = SHEETS[step], self._link.pipeline()
        spans = sorted({sheet.span.begin(begin) for begin in begins})
        for span in spans:
            pipe.hgetall(self._key(sheet, span))
        fields = dict(zip(spans, self._link.execute(pipe), strict=True))
        places = ((fields[sheet.span.begin(begin)], step.bucket(begin)[sheet.span.digits :]) for begin in begins)
        return [(_number(found, f"{field}|p"), _number(found, f"{field}|f")) for found, field in places]

    def _key(self, sheet: Sheet, moment: float) -> str:
        return sheet.key(self._keys, sheet.span.bucket(moment))


def _number(fields: Mapping[bytes, bytes], name: str) -> int:
    try:
        return int(fields.get(name.encode(), 0))
    except ValueError:
        return 0
