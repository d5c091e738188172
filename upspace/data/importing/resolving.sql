-- What the gathered rows come to. The comparisons of a row with the one before rely on tables being read in the order
-- in which they were written.

-- name: mentioned_mids
select distinct mid
from (select mid from user_in union all select mid from relation_in union all select fid from relation_in)
order by mid

-- name: reject_users
insert into reject
select source, 'account ' || mid || ' is deleted, which is final', null
from user_in join known using (mid) where known.deleted and user_in.state is distinct from 2
union all
select source, 'name: it is missing, and account ' || mid || ' is new', null
from user_in anti join known using (mid) where name is null and state is distinct from 2;
delete from user_in where source in (select source from reject)

-- name: make_persons
create table user_sorted as select * from user_in order by mid, source;
drop table user_in;
insert into reject
select source, 'account ' || mid || ' was given before', earlier
from (select source, mid, lag(mid) over () as mid_before, lag(source) over () as earlier from user_sorted)
where mid = mid_before;
create table person as
select * exclude (mid_before) from (select *, lag(mid) over () as mid_before from user_sorted)
where mid is distinct from mid_before;
drop table user_sorted

-- name: create_persons
create or replace table person as
from person
union all by name
select 0 as source, mid, '用户' || mid as name
from (
    select distinct mid
    from (select mid, source from relation_in union all select fid, source from relation_in)
    where creates_accounts(source)
) anti join person using (mid) anti join known using (mid)
order by mid

-- name: make_parties
create table party as
select
    mid, coalesce(known.deleted, false) as was_deleted,
    coalesce(known.deleted or person.state = 2, known.deleted, person.state = 2, false) as deleted
from person full join known using (mid)

-- name: relations_to_deleted
select relation_in.mid, fid from relation_in join known on known.mid = fid where known.deleted order by relation_in.mid

-- name: make_groups
create table own_group as
select mid as owner, cast(own.id as bigint) as given, own.name as name
from (
    select mid, unnest(from_json(own_groups, '[{"id": "bigint", "name": "varchar"}]')) as own
    from person where coalesce(own_groups, '') <> '' and state is distinct from 2
);
create table membership as
select source, mid as owner, fid as other, attribute, unnest(from_json(groups, '["bigint"]')) as given
from relation_in where coalesce(groups, '') <> ''

-- name: owners_of_groups_not_given
select distinct owner from membership anti join own_group using (owner, given)
where given <> -10 and owner in (select mid from known where not deleted)
order by owner

-- name: add_known_groups
insert into own_group select owner, given, name from known_group anti join own_group using (owner, given)

-- name: number_groups
-- Files that number the groups of each account from 1 get ids of ours; those that were exported keep theirs.
insert into group_id
select owner, given, if(is_unique, given, row_number() over (order by owner, given)) as id
from own_group, (select count(distinct given) = count(*) as is_unique from own_group)

-- name: sort_relations
create table group_fault as
select source,
    if(
        bool_or(attribute is not distinct from 128), 'groups: an account that is blocked is in none',
        'groups: account ' || min(owner) || ' has no group ' || min(given)
    ) as fault
from (
    select source, owner, given, attribute from membership where attribute = 128
    union all
    select source, owner, given, attribute from membership anti join own_group using (owner, given) where given <> -10
) group by source;
create table pair_sorted as
select
    relation_in.*, coalesce(other.deleted, false) as other_deleted,
    case
        when relation_in.mid = relation_in.fid then 'account ' || relation_in.fid || ' cannot be related to itself'
        when owner.mid is null then 'account ' || relation_in.mid || ' is unknown'
        when owner.deleted then 'account ' || relation_in.mid || ' is deleted'
        when other.mid is null then 'account ' || relation_in.fid || ' is unknown'
        when other.was_deleted and known_relation.mid is null then 'account ' || relation_in.fid || ' is deleted'
        else group_fault.fault
    end as fault
from relation_in
left join party as owner on owner.mid = relation_in.mid
left join party as other on other.mid = relation_in.fid
left join group_fault using (source)
left join known_relation on known_relation.mid = relation_in.mid and known_relation.fid = relation_in.fid
order by
    least(relation_in.mid, relation_in.fid), greatest(relation_in.mid, relation_in.fid),
    relation_in.mid > relation_in.fid, source;
drop table relation_in;
insert into reject select source, fault, null from pair_sorted where fault is not null;
insert into reject
select source, 'the relation of account ' || mid || ' to account ' || fid || ' was given before', earlier
from (
    select
        source, mid, fid, lag(mid) over () as mid_before, lag(fid) over () as fid_before, lag(source) over () as earlier
    from pair_sorted where fault is null
)
where mid = mid_before and fid = fid_before

-- name: make_relations
-- A pair is at most two rows here, one in each direction, which lie beside each other.
create table relation_ready as
select source, mid, fid, attribute, is_given, mtime, re_src, groups, other_deleted,
    attribute = 2 and (coalesce(fid_before = mid and mid_before = fid and attribute_before = 2, false)
        or coalesce(fid_after = mid and mid_after = fid and attribute_after = 2, false)) as mutual
from (
    select
        *,
        lag(mid) over () as mid_before, lag(fid) over () as fid_before, lag(attribute) over () as attribute_before,
        lead(mid) over () as mid_after, lead(fid) over () as fid_after, lead(attribute) over () as attribute_after
    from (
        select
            source, mid, fid, coalesce(attribute, 2) as attribute, attribute is not null as is_given,
            mtime, re_src, groups, other_deleted,
            lag(mid) over () as mid_above, lag(fid) over () as fid_above
        from pair_sorted where fault is null
    )
    where mid is distinct from mid_above or fid is distinct from fid_above
)
order by mid, fid;
drop table pair_sorted

-- name: make_members
create table member as
select distinct membership.owner, membership.other, if(membership.given = -10, -10, group_id.id) as group_id
from membership
join relation_ready using (source)
left join group_id on group_id.owner = membership.owner and group_id.given = membership.given
where membership.given = -10 or group_id.id is not null
order by all

-- name: make_counters
create table counter as
select
    mid, sum(following) as following, sum(whisper) as whisper, sum(black) as black, sum(follower) as follower
from (
    select
        mid, count(*) filter (attribute = 2) as following, count(*) filter (attribute = 1) as whisper,
        count(*) filter (attribute = 128) as black, 0 as follower
    from relation_ready group by mid
    union all
    select fid, 0, 0, 0, count(*) from relation_ready where attribute = 2 and not other_deleted group by fid
) group by mid
