"""Makes the requests that write, and keeps in mind what follows from their replies."""

from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random
from typing import Generic, NamedTuple, TypeVar

from upspace.wire.codes import ACT_FOLLOW, ACT_UNFOLLOW, ACT_UNWHISPER, ACT_WHISPER, GROUP_DEFAULT, GROUP_SPECIAL
from workloads.draws import Draw
from workloads.operations import Act, Write
from workloads.people import People, Viewer, strangers_to
from workloads.turns import Ask, Turn
from workloads.wire import admin, post

T = TypeVar("T")

# Behind all mids of a community.
_NEW_MIDS = 4_000_000_000_000_000


class Pair(NamedTuple):
    """A viewer, and the account it has a relation to."""

    viewer: Viewer
    fid: int


class Pool(Generic[T]):
    """Things of which one is drawn, evenly, and is nobody else's until it is put back."""

    def __init__(self, things: list[T], random: Random) -> None:
        self._things = things
        self._random = random.random

    def take(self) -> T | None:
        """One of them; None if there is none."""
        things = self._things
        if not things:
            return None
        place = int(self._random() * len(things))
        things[place], things[-1] = things[-1], things[place]
        return things.pop()

    def put(self, thing: T) -> None:
        """Add one."""
        self._things.append(thing)


class Writes:
    """Makes turns for the writes of all phases: what a phase has changed, the next one knows.

    No two writes of one pair are on their way at once, so that none is refused because of the other.
    """

    _targets: Draw[int]

    def __init__(self, people: People, admin_token: str, random: Random) -> None:
        self._people = people
        self._random = random
        self._admin = f"Authorization: Bearer {admin_token}\r\n".encode()
        viewers = people.viewers
        self._followed = Pool([Pair(viewer, fid) for viewer in viewers for fid in viewer.followed], random)
        self._whispered = Pool([Pair(viewer, fid) for viewer in viewers for fid in viewer.whispered], random)
        self._expendable = Pool(sorted(set(people.ranked) - {viewer.mid for viewer in viewers}), random)
        self._strangers = iter(strangers_to(viewers, people.ranked[0]))
        self._numbers = count(1)
        self._makers: dict[Act, Callable[[], _Made | None]] = {
            Act.FOLLOW: self._follow,
            Act.UNFOLLOW: self._unfollow,
            Act.WHISPER: self._whisper,
            Act.UNWHISPER: self._unwhisper,
            Act.SET_GROUPS: self._set_groups,
            Act.MOVE_GROUPS: self._move_groups,
            Act.CHANGE_PROFILE: self._change_profile,
            Act.CHANGE_STATISTICS: self._change_statistics,
            Act.ADD_ACCOUNT: self._add_account,
            Act.DELETE_ACCOUNT: self._delete_account,
            Act.FOLLOW_MOST_FOLLOWED: self._follow_most_followed,
        }

    def aim(self, targets: Draw[int]) -> None:
        """From now on, draw from these whom a write is about."""
        self._targets = targets

    def turns(self, write: Write) -> Callable[[], Turn | None]:
        """What makes one turn after another, and None when nobody is left to do it."""
        make, name, refusals = self._makers[write.act], write.name, write.refusals

        def turn() -> Turn | None:
            made = make()
            return None if made is None else Turn((Ask(name, made.request, refusals, made.settle),))

        return turn

    def _follow(self) -> "_Made":
        viewer = self._random.choice(self._people.viewers)
        fid = self._targets.draw()
        while fid in viewer.related:
            fid = self._targets.draw()
        # Whatever comes of it: nobody shall try again meanwhile.
        viewer.related.add(fid)
        pair = Pair(viewer, fid)
        return _modify(pair, ACT_FOLLOW, partial(_put_if_done, self._followed, pair))

    def _unfollow(self) -> "_Made | None":
        pair = self._followed.take()
        return pair and _modify(pair, ACT_UNFOLLOW, partial(_forget_if_done, pair))

    def _whisper(self) -> "_Made | None":
        pair = self._followed.take()
        return pair and _modify(pair, ACT_WHISPER, partial(_put_if_done, self._whispered, pair))

    def _unwhisper(self) -> "_Made | None":
        pair = self._whispered.take()
        return pair and _modify(pair, ACT_UNWHISPER, partial(_forget_if_done, pair))

    def _set_groups(self) -> "_Made | None":
        group = self._random.choice((GROUP_SPECIAL, GROUP_DEFAULT))
        return self._group(b"/x/relation/tags/addUsers", b"tagids=%d" % group)

    def _move_groups(self) -> "_Made | None":
        groups = [GROUP_SPECIAL, GROUP_DEFAULT]
        self._random.shuffle(groups)
        return self._group(b"/x/relation/tags/moveUsers", b"beforeTagids=%d&afterTagids=%d" % tuple(groups))

    def _group(self, path: bytes, groups: bytes) -> "_Made | None":
        pair = self._followed.take()
        if pair is None:
            return None
        form = b"fids=%d&%b" % (pair.fid, groups)
        return _Made(post(path, pair.viewer.header, form), partial(_put_if_done, self._followed, pair))

    def _change_profile(self) -> "_Made":
        return self._change({"sign": f"第 {next(self._numbers)} 次修改"})

    def _change_statistics(self) -> "_Made":
        number = next(self._numbers)
        return self._change({"statistics": {"archive_view": 1000 * number, "likes": 10 * number}})

    def _change(self, changes: dict[str, object]) -> "_Made":
        return _Made(admin(b"PATCH", self._targets.draw(), self._admin, changes))

    def _add_account(self) -> "_Made":
        number = next(self._numbers)
        record = {"name": f"新用户{number}", "level": number % 7}
        return _Made(admin(b"PUT", _NEW_MIDS + number, self._admin, record))

    def _delete_account(self) -> "_Made | None":
        mid = self._expendable.take()
        return None if mid is None else _Made(admin(b"DELETE", mid, self._admin))

    def _follow_most_followed(self) -> "_Made | None":
        viewer = next(self._strangers, None)
        return None if viewer is None else _modify(Pair(viewer, self._people.ranked[0]), ACT_FOLLOW)


class _Made(NamedTuple):
    """A request, and who wants to know the code of its reply."""

    request: bytes
    settle: Callable[[int | None], None] | None = None


def _modify(pair: Pair, act: int, settle: Callable[[int | None], None] | None = None) -> _Made:
    return _Made(post(b"/x/relation/modify", pair.viewer.header, b"fid=%d&act=%d" % (pair.fid, act)), settle)


def _put_if_done(pool: Pool[Pair], pair: Pair, code: int | None) -> None:
    if code == 0:
        pool.put(pair)


def _forget_if_done(pair: Pair, code: int | None) -> None:
    if code == 0:
        pair.viewer.related.discard(pair.fid)
