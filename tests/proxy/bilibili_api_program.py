"""A program as people write it with bilibili-api-python. Prints as JSON what it got.

Arguments: the proxy, who to look at, whose groups to sort into, and what signs in: a token and its csrf value, if any.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable
from typing import Any

from bilibili_api import Api, Credential, request_settings, user
from bilibili_api.exceptions import ResponseCodeException


async def told(asking: Awaitable[Any]) -> Any:
    """What it returns, or the code of the refusal."""
    try:
        return await asking
    except ResponseCodeException as refusal:
        return {"refused": refusal.code}


async def listed(path: str, credential: Credential, **parameters: int) -> Any:
    """A list for which the library has no function of its own."""
    api = Api(url=f"https://api.bilibili.com{path}", method="GET", verify=True, credential=credential)
    return await api.update_params(**parameters).result


async def look(up: user.User) -> dict[str, Any]:
    return {
        "info": await told(up.get_user_info()),
        "stat": await told(up.get_relation_info()),
        "followers": await told(up.get_followers(ps=20)),
        "second page": await told(up.get_followers(pn=2, ps=20)),
        "oldest": await told(up.get_followers(ps=5, desc=False)),
        "followings": await told(up.get_followings()),
    }


async def act(up: user.User, other: int, credential: Credential) -> dict[str, Any]:
    done: dict[str, Any] = {"upstat": await up.get_up_stat(), "before": await up.get_relation()}
    await up.modify_relation(user.RelationType.SUBSCRIBE)
    done["followed"] = await up.get_relation()
    done["twice"] = await told(up.modify_relation(user.RelationType.SUBSCRIBE))
    await user.User(other, credential).modify_relation(user.RelationType.SUBSCRIBE)

    made = await user.create_subscribe_group("常看", credential)
    await user.set_subscribe_group([up.get_uid(), other], [made["tagid"]], credential)
    done["group"] = made
    done["groups"] = await listed("/x/relation/tags", credential)
    done["members"] = await listed("/x/relation/tag", credential, tagid=made["tagid"])
    await user.rename_subscribe_group(made["tagid"], "少看", credential)
    done["renamed"] = await listed("/x/relation/tags", credential)

    await user.User(other, credential).modify_relation(user.RelationType.UNSUBSCRIBE)
    done["unfollowed"] = await user.User(other, credential).get_relation()
    await user.User(other, credential).modify_relation(user.RelationType.BLOCK)
    done["blacks"] = await user.get_self_black_list(credential)
    done["me"] = await user.get_self_info(credential)
    done["valid"] = await credential.check_valid()  # type: ignore[no-untyped-call]  # it has no types
    return done


async def main(proxy: str, mid: int, other: int, *signed_in: str) -> None:
    request_settings.set_proxy(proxy)
    credential = Credential(sessdata=signed_in[0], bili_jct=signed_in[1]) if signed_in else Credential()
    up = user.User(mid, credential)
    found: dict[str, Any] = {}
    # Without a token the library itself asks for less: it sends no lists then.
    if signed_in:
        found |= await look(up) | await act(up, other, credential)
    else:
        found |= {"info": await told(up.get_user_info()), "stat": await told(up.get_relation_info())}
        found["valid"] = await credential.check_valid()  # type: ignore[no-untyped-call]  # as above
    sys.stdout.write(json.dumps(found))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]))
