"""What every handler is given: the store, the behaviour asked for, and what is made of them once."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct

from upspace.model import Viewer
from upspace.server.kept import KeptReplies, Shown
from upspace.server.known import KnownAccounts
from upspace.server.render import Renderer, decorate
from upspace.server.settings import Settings
from upspace.store.interface import Store
from upspace.wire.splice import CardEncoder, InfoEncoder, ItemEncoder

P = TypeVar("P", bound=Struct)


class Service:
    """The parts that handlers work with. `clock` gives unix seconds."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], float]) -> None:
        self.store = store
        self.behaviour = settings.behaviour
        self.quotas = settings.quotas
        self.clock = clock
        self.renderer = Renderer(settings)
        self.accounts = KnownAccounts(store, self.renderer, settings.account_cache_mb * 1_000_000)
        self.replies = KeptReplies(store, settings.reply_cache_mb * 1_000_000)
        self.infos = InfoEncoder(decorate, recent=settings.behaviour.acc_info_recent_fields)
        self.cards = CardEncoder(decorate)
        self.items = ItemEncoder(
            self.renderer.face_url or ("", ""), contract_info_empty=settings.behaviour.contract_info_empty
        )


Make: TypeAlias = Callable[[Service, Viewer | None, P], Coroutine[Any, Any, Shown]]
Handle: TypeAlias = Callable[[Service, Viewer | None, P], Coroutine[Any, Any, bytes]]


def kept(owner_of: Callable[[P], int]) -> Callable[[Make[P]], Handle[P]]:
    """Makes a handler of one whose replies are the same for all anonymous viewers until something changes.

    Some of them are kept. `owner_of` says whom a reply is about.
    """

    def keeping(make: Make[P]) -> Handle[P]:
        @wraps(make)
        async def found_or_made(service: Service, viewer: Viewer | None, parameters: P) -> bytes:
            replies, store = service.replies, service.store
            version = await store.version() if viewer is None and replies.has_room else None
            if version is None:
                return (await make(service, viewer, parameters)).data
            if version != replies.version:
                await replies.catch_up(version)
            owner = owner_of(parameters)
            if version == replies.version and (data := replies.found(owner, parameters)) is not None:
                return data
            shown = await make(service, None, parameters)
            if version != replies.version or not replies.takes(parameters, shown):
                return shown.data
            # It may show a later state, if making it took turns of the loop.
            if version == await store.version():
                replies.keep(owner, parameters, shown)
            return shown.data

        return found_or_made

    return keeping
