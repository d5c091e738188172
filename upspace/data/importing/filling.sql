-- The rows of an empty store, by table, in the order of their keys.

-- name: standing
select
    mid, coalesce(state, 0),
    coalesce(hides_followings, false), coalesce(hides_followers, false), coalesce(hides_birthday, false),
    is_reported,
    cast(coalesce(if(is_reported = 1, person.following, null), counter.following, 0) as bigint),
    cast(coalesce(if(is_reported = 1, person.whisper, null), counter.whisper, 0) as bigint),
    cast(coalesce(if(is_reported = 1, person.black, null), counter.black, 0) as bigint),
    cast(coalesce(if(is_reported = 1, person.follower, null), counter.follower, 0) as bigint)
from (
    select
        *,
        coalesce(
            counter_mode, if(coalesce(following, whisper, black, follower) is null, 0, 1)
        ) as is_reported
    from person where state is distinct from 2
) as person
left join counter using (mid)
union all
select mid, 2, false, false, false, 0, 0, 0, 0, 0 from person where state = 2
order by mid

-- name: account
select
    mid, name, coalesce(sex, '保密'), coalesce(face, ''), coalesce(face_nft, 0), coalesce(sign, ''),
    coalesce(rank, 10000), coalesce(level, 0), coalesce(coins, 0.0::double), coalesce(birthday, ''),
    coalesce(is_senior_member, 0), coalesce(nft_icon, ''),
    nullif(official, ''), nullif(vip, ''), nullif(decorations, '')
from person where state is distinct from 2
order by mid

-- name: upstat
select
    mid, coalesce(archive_view, 0), coalesce(article_view, 0), coalesce(likes, 0), coalesce(archive_count, 0),
    coalesce(article_count, 0)
from person where state is distinct from 2
order by mid

-- name: relation
select mid, fid, attribute, mutual, coalesce(mtime, default_mtime(source)), coalesce(re_src, 0) from relation_ready

-- name: follower
select fid, coalesce(mtime, default_mtime(source)) as mtime, mid
from relation_ready where attribute = 2 and not other_deleted
order by fid, mtime, mid

-- name: grouped
select owner, other, group_id from member

-- name: own_group
select own_group.owner, group_id.id, name
from own_group join group_id using (owner, given)
order by own_group.owner, group_id.id
