-- Every statement reads or writes the rows of one account ($1), or of many at once by key, and joins tables only on the
-- account that their rows belong to. So each can be sent to the one node that has the account, or to all nodes once.

-- Lookups by key, of many requests at once

-- name: accounts
select account.mid, account.name, account.sex, account.face, account.face_nft, account.sign, account.rank, account.level,
    account.coins, account.birthday, account.is_senior_member, account.nft_icon, account.official, account.vip,
    account.decorations, standing.state, standing.hides_birthday
from account join standing on standing.mid = account.mid
where account.mid = any($1::bigint[])

-- name: standings
select mid, state, hides_followings, hides_followers, hides_birthday, counter_mode, following, whisper, black, follower
from standing where mid = any($1::bigint[])

-- name: counters
select mid, following, whisper, black, follower from standing where mid = any($1::bigint[])

-- name: figures
select standing.mid, standing.following, standing.follower, upstat.likes, upstat.archive_count, upstat.article_count
from standing join upstat on upstat.mid = standing.mid
where standing.mid = any($1::bigint[])

-- name: upstats
select mid, archive_view, article_view, likes, archive_count, article_count from upstat where mid = any($1::bigint[])

-- name: relations
select relation.owner, relation.other, relation.attribute, relation.mutual, relation.mtime, relation.re_src,
    grouped.group_id
from unnest($1::bigint[], $2::bigint[]) as wanted (owner, other)
    join relation on relation.owner = wanted.owner and relation.other = wanted.other
    left join grouped on grouped.owner = relation.owner and grouped.other = relation.other

-- name: stored_profiles
select account.mid, account.name, account.sex, account.face, account.face_nft, account.sign, account.rank, account.level,
    account.coins, account.birthday, account.is_senior_member, account.nft_icon, account.official, account.vip,
    account.decorations,
    standing.mid, standing.state, standing.hides_followings, standing.hides_followers, standing.hides_birthday,
    standing.counter_mode, standing.following, standing.whisper, standing.black, standing.follower,
    upstat.archive_view, upstat.article_view, upstat.likes, upstat.archive_count, upstat.article_count
from account join standing on standing.mid = account.mid left join upstat on upstat.mid = account.mid
where account.mid = any($1::bigint[])

-- name: listed_accounts
select mid, name, face, face_nft, sign, nft_icon, official, vip, (decorations::json -> 'name_render')::text
from account where mid = any($1::bigint[])

-- name: decorations
select mid, decorations from account where mid = any($1::bigint[])

-- name: names
select mid, name from account where mid = any($1::bigint[])

-- name: sessions
-- On a single server. A cluster keeps tokens apart from their accounts, and takes the two after it instead.
select token.digest, standing.mid, standing.state, token.expires, standing.written
from token join standing on standing.mid = token.mid
where token.digest = any($1::bytea[]) and token.revoked is null and standing.state <> 2

-- name: tokens_by_digest
select digest, mid, expires from token where digest = any($1::bytea[]) and revoked is null

-- name: viewers
select mid, state, written from standing where mid = any($1::bigint[]) and state <> 2

-- One account

-- name: account
select account.mid, account.name, account.sex, account.face, account.face_nft, account.sign, account.rank, account.level,
    account.coins, account.birthday, account.is_senior_member, account.nft_icon, account.official, account.vip,
    account.decorations,
    standing.mid, standing.state, standing.hides_followings, standing.hides_followers, standing.hides_birthday,
    standing.counter_mode, standing.following, standing.whisper, standing.black, standing.follower
from account join standing on standing.mid = account.mid
where account.mid = $1

-- name: tokens
select digest, mid, issued, expires, revoked, note from token order by mid, issued

-- name: tokens_of
select digest, mid, issued, expires, revoked, note from token where mid = $1 order by issued

-- Pages: one row each, with the listed accounts as two arrays in the order of the list

-- name: followers_desc
select page.mids, page.mtimes, hides_followings, hides_followers, following, follower
from (select array_agg(other) as mids, array_agg(mtime) as mtimes from (
        select other, mtime from follower where owner = $1
        order by mtime desc, other desc limit $2 offset $3) as listed) as page
    left join standing on standing.mid = $1

-- name: followers_asc
select page.mids, page.mtimes, hides_followings, hides_followers, following, follower
from (select array_agg(other) as mids, array_agg(mtime) as mtimes from (
        select other, mtime from follower where owner = $1
        order by mtime, other limit $2 offset $3) as listed) as page
    left join standing on standing.mid = $1

-- name: followers_after
select page.mids, page.mtimes, hides_followings, hides_followers, following, follower
from (select array_agg(other) as mids, array_agg(mtime) as mtimes from (
        select other, mtime from follower where owner = $1 and (mtime, other) < ($4::bigint, $5::bigint)
        order by mtime desc, other desc limit $2 offset $3) as listed) as page
    left join standing on standing.mid = $1

-- name: followers_rank
select count(*) from (
    select from follower where owner = $1 and (mtime, other) >= ($2::bigint, $3::bigint) limit $4) as newer

-- name: followings_desc
select page.mids, page.mtimes, hides_followings, hides_followers, following, follower
from (select array_agg(other) as mids, array_agg(mtime) as mtimes from (
        select other, mtime from relation where owner = $1 and attribute = 2
        order by mtime desc, other desc limit $2 offset $3) as listed) as page
    left join standing on standing.mid = $1

-- name: followings_asc
select page.mids, page.mtimes, hides_followings, hides_followers, following, follower
from (select array_agg(other) as mids, array_agg(mtime) as mtimes from (
        select other, mtime from relation where owner = $1 and attribute = 2
        order by mtime, other limit $2 offset $3) as listed) as page
    left join standing on standing.mid = $1

-- name: followings_special_desc
select page.mids, page.mtimes, hides_followings, hides_followers, following, follower
from (select array_agg(other) as mids, array_agg(mtime) as mtimes from (
        select relation.other, relation.mtime
        from relation
        where relation.owner = $1 and relation.attribute = 2
        -- By a join with the special ones, a page of an account with 5,000 followings takes half a second until the
        -- server has found out how many rows of groups there are.
        order by not exists (
            select from grouped where grouped.owner = $1 and grouped.other = relation.other and grouped.group_id = -10),
            relation.mtime desc, relation.other desc
        limit $2 offset $3) as listed) as page
    left join standing on standing.mid = $1

-- name: followings_special_asc
select page.mids, page.mtimes, hides_followings, hides_followers, following, follower
from (select array_agg(other) as mids, array_agg(mtime) as mtimes from (
        select relation.other, relation.mtime
        from relation
        where relation.owner = $1 and relation.attribute = 2
        order by not exists (
            select from grouped where grouped.owner = $1 and grouped.other = relation.other and grouped.group_id = -10),
            relation.mtime, relation.other
        limit $2 offset $3) as listed) as page
    left join standing on standing.mid = $1

-- name: whispers
select array_agg(other) as mids, array_agg(mtime) as mtimes, 0 from (
    select other, mtime from relation where owner = $1 and attribute = 1
    order by mtime desc, other desc limit $2 offset $3) as listed

-- name: blacks
select page.mids, page.mtimes, coalesce(standing.black, 0)
from (select array_agg(other) as mids, array_agg(mtime) as mtimes from (
        select other, mtime from relation where owner = $1 and attribute = 128
        order by mtime desc, other desc limit $2 offset $3) as listed) as page
    left join standing on standing.mid = $1

-- name: friends
select array_agg(other) as mids, array_agg(mtime) as mtimes, 0 from (
    select other, mtime from relation where owner = $1 and attribute = 2 and mutual
    order by mtime desc, other desc limit $2 offset $3) as listed

-- name: group_members
select array_agg(other) as mids, array_agg(mtime) as mtimes, 0 from (
    select relation.other, relation.mtime
    from relation
    where relation.owner = $1 and relation.attribute = 2
        -- Looked up in a table of hashes: "is true" keeps it from becoming a join, see followings_special_desc.
        and (relation.other in (
            select grouped.other from grouped where grouped.owner = $1 and grouped.group_id = $4)) is true
    order by relation.mtime desc, relation.other desc limit $2 offset $3) as listed

-- name: group_members_special
select array_agg(other) as mids, array_agg(mtime) as mtimes, 0 from (
    select relation.other, relation.mtime
    from relation
    where relation.owner = $1 and relation.attribute = 2
        and (relation.other in (
            select grouped.other from grouped where grouped.owner = $1 and grouped.group_id = $4)) is true
    order by not exists (
            select from grouped as special
            where special.owner = $1 and special.other = relation.other and special.group_id = -10),
        relation.mtime desc, relation.other desc limit $2 offset $3) as listed

-- name: ungrouped
select array_agg(other) as mids, array_agg(mtime) as mtimes, 0 from (
    select relation.other, relation.mtime
    from relation left join grouped on grouped.owner = relation.owner and grouped.other = relation.other
    where relation.owner = $1 and relation.attribute = 2 and grouped.group_id is null
    order by relation.mtime desc, relation.other desc limit $2 offset $3) as listed

-- name: all_followings
select other, mtime from relation where owner = $1 and attribute = 2 order by mtime desc, other desc

-- name: followings_from
select other, mtime from relation where owner = $1 and attribute = 2 and (mtime, other) <= ($2::bigint, $3::bigint)
order by mtime desc, other desc limit $4

-- name: followed_of
select relation.other
from unnest($2::bigint[]) as wanted (other) join relation on relation.other = wanted.other
where relation.owner = $1 and relation.attribute = 2

-- name: groups
select id, name from own_group where owner = $1 order by id

-- name: group_counts
select coalesce(grouped.group_id, 0), count(*)
from relation left join grouped on grouped.owner = relation.owner and grouped.other = relation.other
where relation.owner = $1 and relation.attribute = 2
group by 1

-- Accounts that somebody writes

-- name: lock_standings
select mid, state, hides_followings, hides_followers, hides_birthday, counter_mode, following, whisper, black, follower
from standing where mid = any($1::bigint[]) order by mid for update

-- name: lock_standing
select mid, state, hides_followings, hides_followers, hides_birthday, counter_mode, following, whisper, black, follower
from standing where mid = $1 for update

-- name: hold_numbers
select pg_advisory_xact_lock(mid)
-- Accounts that have no row yet to be locked by.
from unnest($1::bigint[]) as mid

-- name: mark_written
update standing set written = pg_current_xact_id()::text::bigint where mid = any($1::bigint[])

-- Writing groups of relation writes

-- name: put_relations
insert into relation (owner, other, attribute, mutual, mtime, re_src)
select * from unnest($1::bigint[], $2::bigint[], $3::integer[], $4::boolean[], $5::bigint[], $6::integer[])
on conflict (owner, other) do update set
    attribute = excluded.attribute, mutual = excluded.mutual, mtime = excluded.mtime, re_src = excluded.re_src

-- name: remove_relations
delete from relation using unnest($1::bigint[], $2::bigint[]) as gone (owner, other)
where relation.owner = gone.owner and relation.other = gone.other

-- name: put_followers
insert into follower (owner, mtime, other)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[])
on conflict (owner, mtime, other) do nothing

-- name: remove_followers
delete from follower using unnest($1::bigint[], $2::bigint[], $3::bigint[]) as gone (owner, mtime, other)
where follower.owner = gone.owner and follower.mtime = gone.mtime and follower.other = gone.other

-- name: put_grouped
insert into grouped (owner, other, group_id)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[])
on conflict (owner, other, group_id) do nothing

-- name: remove_grouped
delete from grouped using unnest($1::bigint[], $2::bigint[], $3::bigint[]) as gone (owner, other, group_id)
where grouped.owner = gone.owner and grouped.other = gone.other and grouped.group_id = gone.group_id

-- name: put_counters
update standing set
    following = new.following, whisper = new.whisper, black = new.black, follower = new.follower,
    written = pg_current_xact_id()::text::bigint
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
    as new (mid, following, whisper, black, follower)
where standing.mid = new.mid

-- Writing own groups

-- name: next_group_id
select nextval('own_group_id')

-- name: put_group
insert into own_group (owner, id, name) values ($1, $2, $3)

-- name: rename_group
update own_group set name = $3 where owner = $1 and id = $2

-- name: remove_group
delete from own_group where owner = $1 and id = $2

-- name: remove_members
delete from grouped where owner = $1 and group_id = $2

-- Writing accounts

-- name: put_standings
insert into standing (mid, state, hides_followings, hides_followers, hides_birthday, counter_mode,
    following, whisper, black, follower)
select * from unnest($1::bigint[], $2::integer[], $3::boolean[], $4::boolean[], $5::boolean[], $6::integer[],
    $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
on conflict (mid) do update set
    state = excluded.state, hides_followings = excluded.hides_followings,
    hides_followers = excluded.hides_followers, hides_birthday = excluded.hides_birthday,
    counter_mode = excluded.counter_mode, following = excluded.following, whisper = excluded.whisper,
    black = excluded.black, follower = excluded.follower

-- name: put_accounts
insert into account (mid, name, sex, face, face_nft, sign, rank, level, coins, birthday, is_senior_member, nft_icon,
    official, vip, decorations)
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::integer[],
    $8::integer[], $9::double precision[], $10::text[], $11::integer[], $12::text[], $13::text[], $14::text[],
    $15::text[])
on conflict (mid) do update set
    name = excluded.name, sex = excluded.sex, face = excluded.face, face_nft = excluded.face_nft, sign = excluded.sign,
    rank = excluded.rank, level = excluded.level, coins = excluded.coins, birthday = excluded.birthday,
    is_senior_member = excluded.is_senior_member, nft_icon = excluded.nft_icon, official = excluded.official,
    vip = excluded.vip, decorations = excluded.decorations

-- name: put_upstats
insert into upstat (mid, archive_view, article_view, likes, archive_count, article_count)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
on conflict (mid) do update set
    archive_view = excluded.archive_view, article_view = excluded.article_view, likes = excluded.likes,
    archive_count = excluded.archive_count, article_count = excluded.article_count

-- name: count_relations
select owner, attribute, count(*) from relation where owner = any($1::bigint[]) group by owner, attribute

-- name: count_followers
select owner, count(*) from follower where owner = any($1::bigint[]) group by owner

-- name: leave_followers
update standing set follower = greatest(follower - 1, 0) where mid = any($1::bigint[]) and state <> 2

-- name: leave_friends
update relation set mutual = false where owner = any($1::bigint[]) and other = $2 and mutual

-- name: delete_relations
delete from relation where owner = $1

-- name: delete_followers
delete from follower where owner = $1

-- name: delete_grouped
delete from grouped where owner = $1

-- name: delete_groups
delete from own_group where owner = $1

-- name: delete_account
delete from account where mid = $1

-- name: delete_upstat
delete from upstat where mid = $1

-- name: delete_standing
update standing set
    state = 2, hides_followings = false, hides_followers = false, hides_birthday = false, counter_mode = 0,
    following = 0, whisper = 0, black = 0, follower = 0
where mid = $1

-- Tokens

-- name: put_token
insert into token (digest, mid, issued, expires, revoked, note) values ($1, $2, $3, $4, $5, $6)

-- name: revoke_tokens_of
update token set revoked = $2 where mid = $1 and revoked is null and coalesce(expires > $2, true)

-- name: revoke_all_tokens_of
update token set revoked = $2 where mid = $1 and revoked is null

-- name: revoke_tokens_by_prefix
update token set revoked = $2
where left(encode(digest, 'hex'), length($1)) = $1 and revoked is null and coalesce(expires > $2, true)

-- What belongs to no account: it stays on one node

-- name: newest_change
select number from change_counter

-- name: changed_accounts
select number, mid from account_change where number > $1 order by number limit $2

-- name: number_changes
update change_counter set number = number + $1 returning number

-- name: put_changes
insert into account_change (number, mid) select * from unnest($1::bigint[], $2::bigint[])

-- name: prune_changes
delete from account_change where number <= $1

-- name: mark
select value from mark where name = $1

-- name: put_marks
insert into mark (name, value) select * from unnest($1::text[], $2::text[])
on conflict (name) do update set value = excluded.value
