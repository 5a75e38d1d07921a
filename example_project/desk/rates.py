"""Exchange rates from the bank, all asked for at once."""

import asyncio
import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings

from example_project.desk.models import Rate

SECONDS = 5


async def refresh(currencies: Sequence[str]) -> int:
    """Fetch and store what a euro is worth in each currency. Return how many there are.

    Raises:
        OSError, TimeoutError: the bank does not answer.
    """
    async with asyncio.timeout(SECONDS):
        values = await asyncio.gather(*(_fetch(currency) for currency in currencies))
    for currency, value in zip(currencies, values, strict=True):
        await Rate.objects.aupdate_or_create(currency=currency, defaults={"value": value})
    return len(values)


async def _fetch(currency: str) -> str:
    """One GET in plain asyncio: the example wants no HTTP library. A project would take httpx."""
    address = urlsplit(settings.DESK_SERVICE)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(f"GET /rates/{currency} HTTP/1.0\r\nHost: {address.netloc}\r\n\r\n".encode())
        await writer.drain()
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
        await writer.wait_closed()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise ConnectionError(f"the bank has no rate of {currency}: {head[:40]!r}")
    return json.loads(body)["value"]
