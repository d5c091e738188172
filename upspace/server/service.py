"""What every handler is given: the store, the behaviour asked for, and what is made of them once."""

from collections.abc import Callable

from upspace.server.known import KnownAccounts
from upspace.server.pages import KeptPages
from upspace.server.render import Renderer, decorate
from upspace.server.settings import Settings
from upspace.store.interface import Store
from upspace.wire.splice import CardEncoder, InfoEncoder, ItemEncoder


class Service:
    """The parts that handlers work with. `clock` gives unix seconds."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], float]) -> None:
        self.store = store
        self.behaviour = settings.behaviour
        self.quotas = settings.quotas
        self.clock = clock
        self.renderer = Renderer(settings)
        self.accounts = KnownAccounts(store, self.renderer, settings.account_cache_mb * 1_000_000)
        self.pages = KeptPages(store, settings.page_cache_mb * 1_000_000)
        self.infos = InfoEncoder(decorate, recent=settings.behaviour.acc_info_recent_fields)
        self.cards = CardEncoder(decorate)
        self.items = ItemEncoder(
            self.renderer.face_url or ("", ""), contract_info_empty=settings.behaviour.contract_info_empty
        )
