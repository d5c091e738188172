-- What returns many values for a list page does so in one row, as JSON: every row that SQLite returns costs a release of
-- the interpreter's lock, which a busy server gets back late.

-- name: account
select account.mid, account.name, account.sex, account.face, account.face_nft, account.sign, account.rank, account.level,
    account.coins, account.birthday, account.is_senior_member, account.nft_icon, account.official, account.vip,
    account.decorations,
    standing.mid, standing.state, standing.hides_followings, standing.hides_followers, standing.hides_birthday,
    standing.counter_mode, standing.following, standing.whisper, standing.black, standing.follower
from account join standing using (mid)
where account.mid = ?

-- name: profiles
-- Of those that were ever known; of a deleted one the standing alone is left.
select standing.state = 2, standing.mid,
    account.mid, account.name, account.sex, account.face, account.face_nft, account.sign, account.rank, account.level, account.coins, account.birthday, account.is_senior_member, account.nft_icon, account.official, account.vip,
    account.decorations,
    standing.mid, standing.state, standing.hides_followings, standing.hides_followers, standing.hides_birthday,
    standing.counter_mode, standing.following, standing.whisper, standing.black, standing.follower,
    upstat.archive_view, upstat.article_view, upstat.likes, upstat.archive_count, upstat.article_count
from carray(?) as wanted cross join standing on standing.mid = wanted.value
    left join account on account.mid = standing.mid left join upstat on upstat.mid = standing.mid

-- name: accounts
select json_group_array(json_array(json_array(
    account.mid, account.name, account.sex, account.face, account.face_nft, account.sign, account.rank, account.level,
    account.coins, account.birthday, account.is_senior_member, account.nft_icon, account.official, account.vip,
    account.decorations), standing.state, standing.hides_birthday))
from carray(?) as wanted cross join account on account.mid = wanted.value join standing on standing.mid = wanted.value

-- name: listed_accounts
-- Joined to nothing, a decoration is JSON in the JSON around it, not a text.
select json_group_array(json_array(
    account.mid, account.name, account.face, account.face_nft, account.sign, account.nft_icon, account.official,
    account.vip, (account.decorations -> 'name_render') || ''))
from carray(?) as wanted cross join account on account.mid = wanted.value

-- name: seen_account
select account.mid, account.name, account.sex, account.face, account.face_nft, account.sign, account.rank, account.level,
    account.coins, account.birthday, account.is_senior_member, account.nft_icon, account.official, account.vip,
    account.decorations, standing.state, standing.hides_birthday
from account join standing using (mid)
where account.mid = ?

-- name: decorations
select decorations from account where mid = ?

-- name: standing
select standing.mid, standing.state, standing.hides_followings, standing.hides_followers, standing.hides_birthday,
    standing.counter_mode, standing.following, standing.whisper, standing.black, standing.follower
from standing where mid = ?

-- name: counters
select following, whisper, black, follower from standing where mid = ?

-- name: figures
select standing.following, standing.follower, upstat.likes, upstat.archive_count, upstat.article_count
from standing join upstat using (mid) where standing.mid = ?

-- name: upstat
select archive_view, article_view, likes, archive_count, article_count from upstat where mid = ?

-- name: changed_accounts
select number, mid from account_change where number > ? order by number limit ?

-- name: changed_owners
select number, owners from owner_change where number > ? order by number

-- name: newest_commit
select max(number) from owner_change

-- name: newest_change
select max(number) from account_change

-- name: followers_desc
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from follower where owner = :owner order by mtime desc, other desc limit :size offset :start)),
    hides_followings, hides_followers, following, follower
from (select 1) left join standing on mid = :owner

-- name: followers_asc
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from follower where owner = :owner order by mtime, other limit :size offset :start)),
    hides_followings, hides_followers, following, follower
from (select 1) left join standing on mid = :owner

-- name: followers_after
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from follower
        where owner = :owner and (mtime, other) < (:mtime, :mid)
        order by mtime desc, other desc limit :size offset :start)),
    hides_followings, hides_followers, following, follower
from (select 1) left join standing on mid = :owner

-- name: followers_rank
select count(*) from (select 1 from follower where owner = ? and (mtime, other) >= (?, ?) limit ?)

-- name: followings_desc
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from relation
        where owner = :owner and attribute = 2
        order by mtime desc, other desc limit :size offset :start)),
    hides_followings, hides_followers, following, follower
from (select 1) left join standing on mid = :owner

-- name: followings_asc
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from relation
        where owner = :owner and attribute = 2
        order by mtime, other limit :size offset :start)),
    hides_followings, hides_followers, following, follower
from (select 1) left join standing on mid = :owner

-- name: followings_special_desc
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select relation.other, relation.mtime
        from relation left join grouped on grouped.owner = relation.owner and grouped.other = relation.other
        and grouped.group_id = -10
        where relation.owner = :owner and relation.attribute = 2
        order by grouped.group_id is null, relation.mtime desc, relation.other desc limit :size offset :start)),
    hides_followings, hides_followers, following, follower
from (select 1) left join standing on mid = :owner

-- name: followings_special_asc
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select relation.other, relation.mtime
        from relation left join grouped on grouped.owner = relation.owner and grouped.other = relation.other
        and grouped.group_id = -10
        where relation.owner = :owner and relation.attribute = 2
        order by grouped.group_id is null, relation.mtime, relation.other limit :size offset :start)),
    hides_followings, hides_followers, following, follower
from (select 1) left join standing on mid = :owner

-- name: relations
select relation.other, relation.attribute, relation.mutual, relation.mtime, relation.re_src,
    (select group_concat(group_id) from grouped
     where grouped.owner = relation.owner and grouped.other = relation.other)
from carray(?) as wanted cross join relation on relation.owner = ? and relation.other = wanted.value

-- name: whispers
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from relation where owner = :owner and attribute = 1
        order by mtime desc, other desc limit :size offset :start)),
    0

-- name: blacks
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from relation where owner = :owner and attribute = 128
        order by mtime desc, other desc limit :size offset :start)),
    (select black from standing where mid = :owner)

-- name: friends
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from relation where owner = :owner and attribute = 2 and mutual = 1
        order by mtime desc, other desc limit :size offset :start)),
    0

-- name: same_followings
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select mine.other, mine.mtime
        from relation as mine cross join relation as theirs on theirs.owner = :vmid and theirs.other = mine.other
        where mine.owner = :owner and mine.attribute = 2 and theirs.attribute = 2
        order by mine.mtime desc, mine.other desc limit :size offset :start)),
    (select count(*)
        from relation as mine cross join relation as theirs on theirs.owner = :vmid and theirs.other = mine.other
        where mine.owner = :owner and mine.attribute = 2 and theirs.attribute = 2)

-- name: search_followings
with found as materialized (
    select relation.other, relation.mtime from relation left join account on account.mid = relation.other
    where relation.owner = :owner and relation.attribute = 2
    and case when account.mid is null then :nameless else instr(casefold(account.name), :text) > 0 end)
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from found order by mtime desc, other desc limit :size offset :start)),
    (select count(*) from found)

-- name: group_members
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from relation
        where owner = :owner and attribute = 2 and exists (
            select 1 from grouped
            where grouped.owner = relation.owner and grouped.other = relation.other and group_id = :group_id)
        order by mtime desc, other desc limit :size offset :start)),
    0

-- name: group_members_special
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from relation
        where owner = :owner and attribute = 2 and exists (
            select 1 from grouped
            where grouped.owner = relation.owner and grouped.other = relation.other and group_id = :group_id)
        order by not exists (
            select 1 from grouped
            where grouped.owner = relation.owner and grouped.other = relation.other and group_id = -10), mtime desc, other desc limit :size offset :start)),
    0

-- name: ungrouped
select (
    select json_array(json_group_array(other), json_group_array(mtime)) from (
        select other, mtime from relation
        where owner = :owner and attribute = 2 and not exists (
            select 1 from grouped where grouped.owner = relation.owner and grouped.other = relation.other)
        order by mtime desc, other desc limit :size offset :start)),
    0

-- name: groups
select id, name from own_group where owner = ? order by id

-- name: group_counts
select coalesce(grouped.group_id, 0), count(*)
from relation left join grouped on grouped.owner = relation.owner and grouped.other = relation.other
where relation.owner = ? and relation.attribute = 2
group by 1

-- name: viewer
select standing.mid, standing.state
from token join standing using (mid)
where token.digest = ? and token.revoked is null and coalesce(token.expires > ?, true) and standing.state <> 2

-- name: tokens
select digest, mid, issued, expires, revoked, note from token order by mid, issued

-- name: tokens_of
select digest, mid, issued, expires, revoked, note from token where mid = ? order by issued

-- name: mark
select value from mark where name = ?
