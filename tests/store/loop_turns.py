"""Turns of the event loop."""

import asyncio


async def turns() -> None:
    """Let everything happen that needs nothing from outside."""
    for _ in range(5):
        await asyncio.sleep(0)
