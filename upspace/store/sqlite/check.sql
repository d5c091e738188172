-- What must be so of the accounts from :low to :high, each statement finding what is not, and the statements that mend one
-- such row by its key. Those look again, as the store may have changed since the row was found.
-- "Unknown" is who has neither a standing nor a profile: relations of an account that has lost one of them are kept.

-- name: accounts
select count(*) from standing

-- name: chunk_end
select min(mid) from (
    select mid from (select mid from standing where mid >= :low order by mid limit 1 offset :rows)
    union all
    select owner from (select owner from relation where owner >= :low order by owner limit 1 offset :rows)
    union all
    select owner from (select owner from follower where owner >= :low order by owner limit 1 offset :rows))

-- name: chunk_accounts
select count(*) from standing where mid between :low and :high

-- name: find_strange_standing
select mid, state, counter_mode from standing
where mid between :low and :high and (state not in (0, 1, 2) or counter_mode not in (0, 1))

-- name: find_profile_missing
select mid from standing
where mid between :low and :high and state <> 2
    and not exists (select 1 from account where account.mid = standing.mid)

-- name: find_standing_missing
select mid from account
where mid between :low and :high and not exists (select 1 from standing where standing.mid = account.mid)

-- name: find_totals_missing
select account.mid from account cross join standing using (mid)
where account.mid between :low and :high and standing.state <> 2
    and not exists (select 1 from upstat where upstat.mid = account.mid)

-- name: mend_totals_missing
insert or ignore into upstat (mid, archive_view, article_view, likes, archive_count, article_count)
select mid, 0, 0, 0, 0, 0 from account join standing using (mid) where mid = :mid and state <> 2

-- name: find_totals_of_unknown
select mid from upstat
where mid between :low and :high
    and not exists (select 1 from standing where standing.mid = upstat.mid)
    and not exists (select 1 from account where account.mid = upstat.mid)

-- name: mend_totals_of_unknown
delete from upstat
where mid = :mid
    and not exists (select 1 from standing where standing.mid = :mid)
    and not exists (select 1 from account where account.mid = :mid)

-- name: find_token_of_unknown
select mid, count(*) as tokens from token
where mid between :low and :high
    and not exists (select 1 from standing where standing.mid = token.mid)
    and not exists (select 1 from account where account.mid = token.mid)
group by mid

-- name: mend_token_of_unknown
delete from token
where mid = :mid
    and not exists (select 1 from standing where standing.mid = :mid)
    and not exists (select 1 from account where account.mid = :mid)

-- name: find_group_of_unknown
select owner as mid, id as group_id from own_group
where owner between :low and :high
    and not exists (select 1 from standing where standing.mid = own_group.owner)
    and not exists (select 1 from account where account.mid = own_group.owner)

-- name: mend_group_of_unknown
delete from own_group
where id = :group_id and owner = :mid
    and not exists (select 1 from standing where standing.mid = :mid)
    and not exists (select 1 from account where account.mid = :mid)

-- name: find_deleted_standing
select mid from standing
where mid between :low and :high and state = 2
    and (hides_followings, hides_followers, hides_birthday, counter_mode, following, whisper, black, follower)
        <> (0, 0, 0, 0, 0, 0, 0, 0)

-- name: mend_deleted_standing
update standing set
    hides_followings = 0, hides_followers = 0, hides_birthday = 0, counter_mode = 0,
    following = 0, whisper = 0, black = 0, follower = 0
where mid = :mid and state = 2;
insert into account_change (mid) values (:mid)

-- name: find_deleted_profile
select standing.mid from standing cross join account using (mid)
where standing.mid between :low and :high and standing.state = 2

-- name: mend_deleted_profile
delete from account where mid = :mid and exists (select 1 from standing where mid = :mid and state = 2);
insert into account_change (mid) values (:mid)

-- name: find_deleted_totals
select standing.mid from standing cross join upstat using (mid)
where standing.mid between :low and :high and standing.state = 2

-- name: mend_deleted_totals
delete from upstat where mid = :mid and exists (select 1 from standing where mid = :mid and state = 2)

-- name: find_deleted_token
select standing.mid, count(*) as tokens from standing cross join token using (mid)
where standing.mid between :low and :high and standing.state = 2 and token.revoked is null
group by standing.mid

-- name: mend_deleted_token
update token set revoked = :now
where mid = :mid and revoked is null and exists (select 1 from standing where mid = :mid and state = 2)

-- name: find_deleted_relation
select standing.mid, relation.other, relation.mtime from standing cross join relation on relation.owner = standing.mid
where standing.mid between :low and :high and standing.state = 2

-- name: mend_deleted_relation
delete from relation
where owner = :mid and other = :other and exists (select 1 from standing where mid = :mid and state = 2)

-- name: find_deleted_follower
select standing.mid, follower.other, follower.mtime from standing cross join follower on follower.owner = standing.mid
where standing.mid between :low and :high and standing.state = 2

-- name: mend_deleted_follower
delete from follower
where owner = :mid and mtime = :mtime and other = :other
    and exists (select 1 from standing where mid = :mid and state = 2)

-- name: find_deleted_group
select standing.mid, own_group.id as group_id from standing cross join own_group on own_group.owner = standing.mid
where standing.mid between :low and :high and standing.state = 2

-- name: mend_deleted_group
delete from own_group
where id = :group_id and owner = :mid and exists (select 1 from standing where mid = :mid and state = 2)

-- name: find_relation_of_unknown
select owner as mid, other, mtime from relation
where owner between :low and :high
    and not exists (select 1 from standing where standing.mid = relation.owner)
    and not exists (select 1 from account where account.mid = relation.owner)

-- name: mend_relation_of_unknown
delete from relation
where owner = :mid and other = :other
    and not exists (select 1 from standing where standing.mid = :mid)
    and not exists (select 1 from account where account.mid = :mid)

-- name: find_relation_to_unknown
select owner as mid, other, mtime from relation
where owner between :low and :high
    and not exists (select 1 from standing where standing.mid = relation.other)
    and not exists (select 1 from account where account.mid = relation.other)

-- name: mend_relation_to_unknown
delete from relation
where owner = :mid and other = :other
    and not exists (select 1 from standing where standing.mid = :other)
    and not exists (select 1 from account where account.mid = :other)

-- name: find_follower_of_unknown
select owner as mid, other, mtime from follower
where owner between :low and :high
    and not exists (select 1 from standing where standing.mid = follower.owner)
    and not exists (select 1 from account where account.mid = follower.owner)

-- name: mend_follower_of_unknown
delete from follower
where owner = :mid and mtime = :mtime and other = :other
    and not exists (select 1 from standing where standing.mid = :mid)
    and not exists (select 1 from account where account.mid = :mid)

-- name: find_strange_attribute
-- Relations of accounts that are deleted, and those of and to unknown ones, are found as such.
select owner as mid, other, attribute from relation
where owner between :low and :high and attribute not in (1, 2, 128)
    and exists (select 1 from standing where standing.mid = relation.owner and standing.state <> 2)
    and exists (select 1 from standing where standing.mid = relation.other)

-- name: find_relation_to_itself
select owner as mid from relation
where owner between :low and :high and owner = other
    and exists (select 1 from standing where standing.mid = relation.owner and standing.state <> 2)

-- name: find_follow_without_follower
select relation.owner as mid, relation.other, relation.mtime
from relation cross join standing as one on one.mid = relation.owner cross join standing as two on two.mid = relation.other
where relation.owner between :low and :high and relation.attribute = 2 and relation.other <> relation.owner
    and one.state <> 2 and two.state <> 2
    and not exists (
        select 1 from follower
        where follower.owner = relation.other and follower.mtime = relation.mtime and follower.other = relation.owner)

-- name: mend_follow_without_follower
insert or ignore into follower (owner, mtime, other)
select relation.other, relation.mtime, relation.owner
from relation cross join standing as one on one.mid = relation.owner cross join standing as two on two.mid = relation.other
where relation.owner = :mid and relation.other = :other and relation.attribute = 2 and one.state <> 2 and two.state <> 2

-- name: find_follower_without_follow
select owner as mid, other, mtime from follower
where owner between :low and :high
    and not exists (
        select 1 from relation
        where relation.owner = follower.other and relation.other = follower.owner
            and relation.attribute = 2 and relation.mtime = follower.mtime)
    and exists (select 1 from standing where standing.mid = follower.owner and standing.state <> 2)

-- name: mend_follower_without_follow
delete from follower
where owner = :mid and mtime = :mtime and other = :other
    and not exists (
        select 1 from relation
        where relation.owner = :other and relation.other = :mid and relation.attribute = 2 and relation.mtime = :mtime)

-- name: find_mutual_missing
select owner as mid, other from relation
where owner between :low and :high and attribute = 2 and mutual <> 1 and owner <> other
    and exists (
        select 1 from relation as back
        where back.owner = relation.other and back.other = relation.owner and back.attribute = 2)

-- name: mend_mutual_missing
update relation set mutual = 1
where owner = :mid and other = :other and attribute = 2
    and exists (select 1 from relation as back where back.owner = :other and back.other = :mid and back.attribute = 2)

-- name: find_mutual_wrong
select owner as mid, other from relation
where owner between :low and :high and mutual <> 0 and owner <> other
    and not (attribute = 2 and exists (
        select 1 from relation as back
        where back.owner = relation.other and back.other = relation.owner and back.attribute = 2))

-- name: mend_mutual_wrong
update relation set mutual = 0
where owner = :mid and other = :other
    and not (attribute = 2 and exists (
        select 1 from relation as back where back.owner = :other and back.other = :mid and back.attribute = 2))

-- name: find_member_without_relation
-- What a relation with a strange attribute was meant to be decides a person, so its members stay until then.
select owner as mid, other, group_id from grouped
where owner between :low and :high
    and not exists (
        select 1 from relation
        where relation.owner = grouped.owner and relation.other = grouped.other and relation.attribute <> 128)

-- name: mend_member_without_relation
delete from grouped
where owner = :mid and other = :other and group_id = :group_id
    and not exists (
        select 1 from relation where relation.owner = :mid and relation.other = :other and relation.attribute <> 128)

-- name: find_member_of_unknown_group
select owner as mid, other, group_id from grouped
where owner between :low and :high and group_id <> -10
    and not exists (
        select 1 from own_group where own_group.id = grouped.group_id and own_group.owner = grouped.owner)

-- name: mend_member_of_unknown_group
delete from grouped
where owner = :mid and other = :other and group_id = :group_id
    and not exists (select 1 from own_group where own_group.id = :group_id and own_group.owner = :mid)

-- name: find_wrong_counter
select mid, counter, stored, counted from (
    select mid, 'following' as counter, following as stored,
        (select count(*) from relation where owner = standing.mid and attribute = 2) as counted
    from standing where mid between :low and :high and counter_mode = 0 and state <> 2
    union all
    select mid, 'whisper', whisper, (select count(*) from relation where owner = standing.mid and attribute = 1)
    from standing where mid between :low and :high and counter_mode = 0 and state <> 2
    union all
    select mid, 'black', black, (select count(*) from relation where owner = standing.mid and attribute = 128)
    from standing where mid between :low and :high and counter_mode = 0 and state <> 2
    union all
    select mid, 'follower', follower, (select count(*) from follower where owner = standing.mid)
    from standing where mid between :low and :high and counter_mode = 0 and state <> 2)
where stored <> counted

-- name: find_negative_counter
select mid, counter, stored from (
    select mid, 'following' as counter, following as stored, counter_mode, state from standing
    union all select mid, 'whisper', whisper, counter_mode, state from standing
    union all select mid, 'black', black, counter_mode, state from standing
    union all select mid, 'follower', follower, counter_mode, state from standing)
where mid between :low and :high and stored < 0 and counter_mode = 1 and state <> 2

-- name: settle_pair
-- What hung on a relation of :mid to :other that has been removed.
delete from follower
where owner = :other and mtime = :mtime and other = :mid
    and not exists (
        select 1 from relation
        where relation.owner = :mid and relation.other = :other and relation.attribute = 2 and relation.mtime = :mtime);
update relation set mutual = 0
where owner = :other and other = :mid
    and not exists (select 1 from relation where owner = :mid and other = :other and attribute = 2);
delete from grouped
where owner = :mid and other = :other
    and not exists (select 1 from relation where owner = :mid and other = :other)

-- name: recount
update standing set
    following = (select count(*) from relation where owner = standing.mid and attribute = 2),
    whisper = (select count(*) from relation where owner = standing.mid and attribute = 1),
    black = (select count(*) from relation where owner = standing.mid and attribute = 128),
    follower = (select count(*) from follower where owner = standing.mid)
where mid in (select value from carray(?)) and counter_mode = 0 and state <> 2
