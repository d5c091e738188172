-- What a check reads: rows of each table from a key on, and whatever has to agree with them by key; and what mends rows by
-- key. Whether they agree is told in upspace/store/disagreements.py, since no statement joins the rows of two accounts.

-- name: count_accounts
select count(*) from standing

-- Accounts from $1 to $2, at most $3 of them

-- name: standing_mids
select mid from standing where mid between $1 and $2 order by mid limit $3

-- name: account_mids
select mid from account where mid between $1 and $2 order by mid limit $3

-- name: upstat_mids
select mid from upstat where mid between $1 and $2 order by mid limit $3

-- name: token_mids
select distinct mid from token where mid between $1 and $2 order by mid limit $3

-- Rows of the accounts up to a mid, from a key on

-- name: own_group_page
select owner, id from own_group
where (owner, id) >= ($1::bigint, $2::bigint) and owner <= $3 order by owner, id limit $4

-- name: relation_page
select owner, other, attribute, mutual, mtime from relation
where (owner, other) >= ($1::bigint, $2::bigint) and owner <= $3 order by owner, other limit $4

-- name: follower_page
select owner, mtime, other from follower
where (owner, mtime, other) >= ($1::bigint, $2::bigint, $3::bigint) and owner <= $4
order by owner, mtime, other limit $5

-- name: grouped_page
select owner, other, group_id from grouped
where (owner, other, group_id) >= ($1::bigint, $2::bigint, $3::bigint) and owner <= $4
order by owner, other, group_id limit $5

-- Rows by key, with the columns of the pages

-- name: own_group_rows
select own_group.owner, own_group.id
from unnest($1::bigint[], $2::bigint[]) as wanted (owner, id)
    join own_group on own_group.owner = wanted.owner and own_group.id = wanted.id

-- name: relation_rows
select relation.owner, relation.other, relation.attribute, relation.mutual, relation.mtime
from unnest($1::bigint[], $2::bigint[]) as wanted (owner, other)
    join relation on relation.owner = wanted.owner and relation.other = wanted.other

-- name: follower_rows
select follower.owner, follower.mtime, follower.other
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as wanted (owner, mtime, other)
    join follower on follower.owner = wanted.owner and follower.mtime = wanted.mtime and follower.other = wanted.other

-- name: grouped_rows
select grouped.owner, grouped.other, grouped.group_id
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as wanted (owner, other, group_id)
    join grouped on grouped.owner = wanted.owner and grouped.other = wanted.other and grouped.group_id = wanted.group_id

-- What has to agree with them

-- name: attributes
select relation.owner, relation.other, relation.attribute
from unnest($1::bigint[], $2::bigint[]) as wanted (owner, other)
    join relation on relation.owner = wanted.owner and relation.other = wanted.other

-- name: followed_rows
-- Those rows of lists of followers that a follow stands behind: the whole key of its list is known.
select wanted.owner, wanted.mtime, wanted.other
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as wanted (owner, mtime, other)
    join relation on relation.owner = wanted.other and relation.attribute = 2
        and relation.mtime = wanted.mtime and relation.other = wanted.owner

-- name: states
select mid, state from standing where mid = any($1::bigint[])

-- name: profiles
select mid from account where mid = any($1::bigint[])

-- name: totals
select mid from upstat where mid = any($1::bigint[])

-- name: token_counts
select mid, count(*), count(*) filter (where revoked is null) from token where mid = any($1::bigint[]) group by mid

-- Mending

-- name: add_totals
insert into upstat (mid, archive_view, article_view, likes, archive_count, article_count)
select mid, 0, 0, 0, 0, 0 from unnest($1::bigint[]) as mid
on conflict (mid) do nothing

-- name: remove_totals
delete from upstat where mid = any($1::bigint[])

-- name: remove_profiles
delete from account where mid = any($1::bigint[])

-- name: empty_standings
update standing set
    hides_followings = false, hides_followers = false, hides_birthday = false, counter_mode = 0,
    following = 0, whisper = 0, black = 0, follower = 0
where mid = any($1::bigint[])

-- name: remove_tokens
delete from token where mid = any($1::bigint[])

-- name: revoke_tokens
update token set revoked = $2 where mid = any($1::bigint[]) and revoked is null

-- name: remove_groups
delete from own_group using unnest($1::bigint[], $2::bigint[]) as gone (owner, id)
where own_group.owner = gone.owner and own_group.id = gone.id

-- name: set_mutual
update relation set mutual = new.mutual
from unnest($1::bigint[], $2::bigint[], $3::boolean[]) as new (owner, other, mutual)
where relation.owner = new.owner and relation.other = new.other and relation.mutual <> new.mutual

-- name: remove_places
delete from grouped using unnest($1::bigint[], $2::bigint[]) as gone (owner, other)
where grouped.owner = gone.owner and grouped.other = gone.other
