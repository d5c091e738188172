"""The peer's database: that of an upspace store, and a session for each request."""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine(os.environ["PEER_DATABASE"])
new_session = async_sessionmaker(engine)


async def get_session() -> AsyncIterator[AsyncSession]:
    """A session that is closed when the reply is made."""
    async with new_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]
