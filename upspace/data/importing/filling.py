"""An empty store is filled table by table, with rows in the order of their keys, in one transaction."""

from collections.abc import AsyncGenerator
from contextlib import closing

from upspace.data.importing.staging import Staging
from upspace.store.tables import Row, Table

# The table that has as many rows as each, before any is written.
_COUNTED = {
    "standing": "from person",
    "account": "from person where state is distinct from 2",
    "upstat": "from person where state is distinct from 2",
    "relation": "from relation_ready",
    "follower": "from relation_ready where attribute = 2 and not other_deleted",
    "grouped": "from member",
    "own_group": "from own_group",
}


class Prepared:
    """What was gathered and resolved, as the rows of a store. See `upspace.store.moving.Source`."""

    url = "the files"

    def __init__(self, staging: Staging) -> None:
        self._staging = staging

    async def count(self, table: Table) -> int:
        """How many rows a table has; there are none of tokens and marks."""
        counted = _COUNTED.get(table.name)
        return 0 if counted is None else self._staging.value(f"select count(*) {counted}")

    async def batches(self, table: Table) -> AsyncGenerator[list[Row], None]:
        """The rows of a table in the order of its key."""
        if table.name in _COUNTED:
            with closing(self._staging.batches(table.name)) as batches:
                for rows in batches:
                    yield rows

    async def highest_group_id(self) -> int:
        """The highest id of a group."""
        return self._staging.value("select coalesce(max(id), 0) from group_id")
