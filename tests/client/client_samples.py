"""A call of every endpoint, with every parameter that it takes."""

from typing import Any

from upspace.client import Call, calls
from upspace.wire.endpoints import ENDPOINTS

ROWS = {endpoint.name: endpoint for endpoint in ENDPOINTS}

CALLS: dict[str, Call[Any]] = {
    "acc_info": calls.acc_info(7),
    "card": calls.card(7, photo=True),
    "upstat": calls.upstat(7),
    "relation_stat": calls.relation_stat(7),
    "followers": calls.followers(7, pn=2, ps=30, order="asc"),
    "followings": calls.followings(7, pn=2, ps=30, order="asc", order_type="attention"),
    "fans": calls.fans(7, ps=30, offset="5:6"),
    "nav": calls.nav(),
    "myinfo": calls.myinfo(),
    "finger_spi": calls.finger_spi(),
    "ex_climb_wuzhi": calls.ex_climb_wuzhi({"payload": "特别"}),
    "relation": calls.relation(7),
    "relations": calls.relations([7, 8]),
    "acc_relation": calls.acc_relation(7),
    "search_followings": calls.search_followings(7, "名", pn=2, ps=30),
    "same_followings": calls.same_followings(7, pn=2, ps=30),
    "whispers": calls.whispers(pn=2, ps=30),
    "friends": calls.friends(pn=2, ps=30),
    "blacks": calls.blacks(pn=2, ps=30),
    "modify": calls.modify(7, 1, re_src=11),
    "batch_modify": calls.batch_modify([7, 8], 5, re_src=11),
    "groups": calls.groups(),
    "group_members": calls.group_members(-10, pn=2, ps=30, order_type="attention"),
    "groups_of": calls.groups_of(7),
    "special": calls.special(pn=2, ps=30),
    "create_group": calls.create_group("名"),
    "rename_group": calls.rename_group(9, "名"),
    "delete_group": calls.delete_group(9),
    "set_members": calls.set_members([7, 8], [9, -10]),
    "copy_members": calls.copy_members([7, 8], [9, -10]),
    "move_members": calls.move_members([7, 8], before=[9], after=[-10]),
}
