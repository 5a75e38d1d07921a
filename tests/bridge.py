"""A socket of this host that leads to a server elsewhere: tests that stand in the way of bytes work there too."""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def bridged(host: str, port: int) -> Iterator[str]:
    """The URL of the socket."""
    directory = Path(tempfile.mkdtemp(prefix="kiq"))
    loop, ready = asyncio.new_event_loop(), threading.Event()
    opened: list[asyncio.StreamWriter | asyncio.Server] = []

    async def cross(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, port)
        opened.extend((writer, back))
        await asyncio.gather(pump(reader, back), pump(there, writer))

    async def serve() -> None:
        opened.append(await asyncio.start_unix_server(cross, directory / "s", backlog=1_000))
        ready.set()

    async def end() -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for each in opened:
            each.close()
        await asyncio.gather(*(each.wait_closed() for each in opened), return_exceptions=True)

    def run() -> None:
        loop.create_task(serve())
        loop.run_forever()
        loop.run_until_complete(end())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield f"unix://{directory}/s"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        shutil.rmtree(directory, ignore_errors=True)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on until one side ends."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
