"""The synthetic community that a test asks a server for, over its control interface."""

from typing import TYPE_CHECKING

from upspace.store.interface import Store

if TYPE_CHECKING:
    from upspace.wire.control import CommunityRequest


async def fill_store(store: Store, asked: "CommunityRequest") -> None:
    """Put a community into an empty store. Raises ValueError for numbers that cannot be, and for a store in use."""
    # Every worker of every server is handed this function, and hardly any calls it.
    from upspace.data.community import Community, CommunityMismatchError, settle

    community = Community(asked.seed, asked.accounts, asked.relations)
    try:
        await settle(store, community)
    except CommunityMismatchError as error:
        raise ValueError(str(error)) from error
