"""What every handler is given: the store, the behaviour asked for, and what is made of them once."""

from collections.abc import Callable

from upspace.server.listing import ItemAccounts
from upspace.server.render import Renderer
from upspace.server.settings import Settings
from upspace.store.interface import Store
from upspace.wire.relations import ItemEncoder


class Service:
    """The parts that handlers work with. `clock` gives unix seconds."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], float]) -> None:
        self.store = store
        self.behaviour = settings.behaviour
        self.clock = clock
        self.renderer = Renderer(settings)
        self.item_accounts = ItemAccounts(store, self.renderer.item_account, settings.account_cache_mb * 1_000_000)
        self.items = ItemEncoder(contract_info_empty=settings.behaviour.contract_info_empty)
