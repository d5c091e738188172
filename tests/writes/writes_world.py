"""Six accounts that differ in all that relations depend on, once for a store and once for the model."""

from contract_forms import Limits, Query
from contract_groups import ALL, DEFAULT, ContractModel
from contract_model import BLACK, FOLLOW, SPECIAL, WHISPER, Person, Side

from upspace.model import Account, AccountState, CounterMode, Profile, Relation, Standing, Token
from upspace.server.viewer import token_digest
from upspace.store import open_store
from upspace.store.interface import Store

ANN, BEA, REPORTED, HIDER, SUSPENDED, LAST = 101, 102, 103, 104, 105, 2**63 - 1
PEOPLE = (ANN, BEA, REPORTED, HIDER, SUSPENDED, LAST)
UNKNOWN = 999
START = 1_700_000_000

# Small enough to be reached, and so different that one in the place of another shows.
LIMITS = Limits(max_followings=3, max_blacks=2, max_groups=3, max_relations_fids=5, max_batch_fids=4, max_group_fids=3)

# Names for the search of followings: what folds, and what a pattern would take for something else.
NAMES = {ANN: "Ann", BEA: "annabel", REPORTED: "STRASSE %", HIDER: "Straße_", SUSPENDED: "ΣΊΣΥΦΟΣ", LAST: "\\last"}
SEARCHES = ("", "AN", "straße", "ss", "%", "_", "\\", "σίσυφος", "账号", "nobody")

# These figures are neither the numbers of the stored relations nor far enough from zero to stay above it.
FIGURES = {"following": 0, "whisper": 1, "black": 0, "follower": 9}
RELATIONS = (
    Relation(REPORTED, ANN, FOLLOW, START - 7, (SPECIAL,), 5),
    Relation(ANN, REPORTED, FOLLOW, START - 8),
    Relation(REPORTED, HIDER, FOLLOW, START - 7),
    Relation(REPORTED, BEA, WHISPER, START - 5),
    Relation(HIDER, BEA, FOLLOW, START - 5),
    Relation(SUSPENDED, ANN, FOLLOW, START - 3, (SPECIAL,)),
    Relation(SUSPENDED, LAST, BLACK, START - 2),
)


def model_at_start() -> ContractModel:
    """The accounts in the model."""
    model = ContractModel(LIMITS)
    model.now = START
    model.people = {mid: Person(name) for mid, name in NAMES.items()}
    model.people[REPORTED].figures = dict(FIGURES)
    model.people[HIDER].hides_followings = model.people[HIDER].hides_followers = True
    model.people[SUSPENDED].suspended = True
    for relation in RELATIONS:
        side = Side(relation.attribute, relation.mtime, set(relation.groups), relation.re_src)
        model.sides[relation.owner, relation.other] = side
    return model


def profile(mid: int) -> Profile:
    """The same account for a store."""
    standing = Standing(
        mid,
        AccountState.SUSPENDED if mid == SUSPENDED else AccountState.NORMAL,
        hides_followings=mid == HIDER,
        hides_followers=mid == HIDER,
        counter_mode=CounterMode.REPORTED if mid == REPORTED else CounterMode.DERIVED,
        **(FIGURES if mid == REPORTED else {}),  # type: ignore[arg-type]  # the figures are int
    )
    return Profile(Account(mid, name=NAMES[mid]), standing)


async def store_at_start(url: str = "sqlite://") -> Store:
    """The accounts in an empty store, each with a token."""
    store = await open_store(url)
    await store.load([profile(mid) for mid in PEOPLE], RELATIONS)
    for mid in PEOPLE:
        await store.put_token(Token(token_digest(token_of(mid)), mid, START))
    return store


def token_of(mid: int) -> str:
    """The token that an account presents."""
    return f"token of {mid}"


# Every read, with one set of parameters for all: `how` is pn, ps, order, order_type, name and offset.


def reads_about(target: int, how: Query) -> list[tuple[str, Query]]:
    """The reads that name an account, of contract 6, 7, 8.3 and 9."""
    vmid = how | {"vmid": str(target)}
    others = [mid for mid in (*PEOPLE, UNKNOWN) if mid != target][: LIMITS.max_relations_fids - 1]
    fids = ",".join(str(mid) for mid in (target, *others))
    return [
        ("/x/space/acc/info", {"mid": str(target)}),
        ("/x/web-interface/card", {"mid": str(target)}),
        ("/x/relation/stat", vmid),
        ("/x/relation/followers", vmid),
        ("/x/relation/followings", vmid),
        ("/x/relation/fans", vmid),
        ("/x/relation", {"fid": str(target)}),
        ("/x/relation/relations", {"fids": fids}),
        ("/x/space/acc/relation", {"mid": str(target)}),
        ("/x/relation/followings/search", vmid),
        ("/x/relation/same/followings", vmid),
        ("/x/relation/tag/user", {"fid": str(target)}),
    ]


def reads_of_own(tagids: list[int], how: Query) -> list[tuple[str, Query]]:
    """The reads that name no account, with each of these groups."""
    return [
        ("/x/space/myinfo", how),
        ("/x/relation/whispers", how),
        ("/x/relation/friends", how),
        ("/x/relation/blacks", how),
        ("/x/relation/tags", how),
        ("/x/relation/tag/special", how),
        *(("/x/relation/tag", how | {"tagid": str(tagid)}) for tagid in (SPECIAL, DEFAULT, ALL, *tagids)),
    ]
