"""The log of a file that is written to, and when it is copied into the file.

SQLite would copy it within a commit, and cannot begin it anew while anybody reads what came before its end. Busy
servers read nearly all the time: then the log would only grow, and each read would look through more of it.
"""

from contextlib import suppress

import apsw

from upspace.store.sqlite.connection import be_patient

# 32 MB: each time costs as much as several commits, however much there is.
_COPIED_AT_PAGES = 8_000
# When readers have been in the way for so long, they are waited for: a snapshot of a server lasts for a turn of a loop.
_BEGUN_ANEW_AT_PAGES = 16_000
# Somebody may read for minutes, such as an export, and whoever writes waits meanwhile: so not for long, and not often.
_WAIT_MS = 50


class Log:
    """The log as the one connection that writes in this process sees it."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._pages = 0
        self._begun_anew_at = _BEGUN_ANEW_AT_PAGES
        # In the place of what SQLite does by itself.
        db.set_wal_hook(lambda _db, _name, pages: self._committed(pages))

    def copy(self) -> None:
        """Copy the log if it is time, between two groups: those of the last one have been answered.

        Who else copies, or reads, may be in the way, and a disk that is full is told to who writes next.
        """
        if self._pages >= self._begun_anew_at:
            self._begun_anew_at = self._pages + _COPIED_AT_PAGES
            self._db.set_busy_timeout(_WAIT_MS)
            with suppress(apsw.Error):
                self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
            be_patient(self._db)
        elif self._pages >= _COPIED_AT_PAGES:
            with suppress(apsw.Error):
                self._db.wal_checkpoint()

    def _committed(self, pages: int) -> int:
        if pages < self._pages:
            self._begun_anew_at = _BEGUN_ANEW_AT_PAGES
        self._pages = pages
        return apsw.SQLITE_OK
