"""Every read of the interface in each of its forms, for tests that look at what an engine does for them."""

from upspace.model import Listed, Window
from upspace.store.interface import Store


async def use_every_read(store: Store) -> None:
    """Call them all, about accounts 1 and 2."""
    await store.account(1)
    await store.profile(1)
    await store.accounts([1])
    await store.accounts([1, 2])
    await store.listed_accounts([1])
    await store.decorations(1)
    await store.standing(1)
    await store.counters(1)
    await store.figures(1)
    await store.upstat(1)
    await store.newest_change()
    await store.changed_accounts(0)
    await store.changed_owners(0)
    await store.version()
    for ascending in (True, False):
        await store.followers(1, Window(0, 1, ascending))
        await store.followings(1, Window(0, 1, ascending))
        await store.followings(1, Window(0, 1, ascending), special_first=True)
    await store.followers(1, Window(0, 1, after=Listed(1, 1)))
    await store.followers_rank(1, Listed(1, 1), 1)
    await store.relations(1, [2])
    for listing in (store.whispers, store.blacks, store.friends):
        await listing(1, Window(0, 1))
    await store.same_followings(1, 2, Window(0, 1))
    await store.search_followings(1, "x", False, Window(0, 1))
    for group_id in (0, 1):
        await store.group_members(1, group_id, Window(0, 1))
    await store.group_members(1, 1, Window(0, 1), special_first=True)
    await store.groups(1)
    await store.group_counts(1)
    await store.viewer(b"", 1)
    await store.tokens()
    await store.tokens(1)
    await store.mark("x")
