"""Bytes both ways between two channels, with every end as it was: half, whole or abrupt."""

import asyncio
from enum import Enum, auto

from upspace.proxy.channels import Channel

# How long a client that has said all may wait while nothing comes, and a server that has said all.
_SILENCE_AFTER_CLIENT_S = 60
_SILENCE_AFTER_SERVER_S = 5


class _Ending(Enum):
    CLEAN = auto()
    SOURCE_BROKEN = auto()
    SINK_BROKEN = auto()


class _Pump:
    def __init__(self, source: Channel, sink: Channel) -> None:
        self._source, self._sink = source, sink
        self.moved = 0

    async def run(self) -> _Ending:
        """Carry what comes until nothing more does, and say so."""
        while True:
            try:
                data = await self._source.read()
            except OSError:
                return _Ending.SOURCE_BROKEN
            try:
                if not data:
                    await self._sink.end()
                    return _Ending.CLEAN
                await self._sink.write(data)
            except OSError:
                return _Ending.SINK_BROKEN
            self.moved += 1


async def relay(client: Channel, server: Channel) -> None:
    """Carry bytes both ways until both directions have ended, then let go of both ends.

    If one end breaks, so does the other, when all that came before it has been carried.
    """
    there, back = _Pump(client, server), _Pump(server, client)
    going, coming = asyncio.create_task(there.run()), asyncio.create_task(back.run())
    broken = False
    try:
        await asyncio.wait((going, coming), return_when=asyncio.FIRST_COMPLETED)
        if coming.done():
            first, other, pump, silence_s = coming, going, there, _SILENCE_AFTER_SERVER_S
        else:
            first, other, pump, silence_s = going, coming, back, _SILENCE_AFTER_CLIENT_S
        if first.result() is _Ending.SINK_BROKEN:
            # It may have been answered before it broke.
            silence_s = _SILENCE_AFTER_SERVER_S
        if first.result() is not _Ending.SOURCE_BROKEN:
            await _finish(other, pump, silence_s)
        broken = any(task.done() and task.result() is not _Ending.CLEAN for task in (going, coming))
    finally:
        for task in (going, coming):
            task.cancel()
        await asyncio.gather(going, coming, return_exceptions=True)
        for channel in (client, server):
            if broken:
                channel.abort()
            else:
                channel.close()


async def _finish(task: "asyncio.Task[_Ending]", pump: _Pump, silence_s: float) -> None:
    """Wait until a direction has ended, or has been silent for so long."""
    moved = -1
    while not task.done() and pump.moved != moved:
        moved = pump.moved
        await asyncio.wait((task,), timeout=silence_s)
