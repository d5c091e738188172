-- What goes into a store in use, part by part.

-- name: persons
select * from person where state is distinct from 2 order by mid

-- name: reporting_persons
select * from person
where state is distinct from 2
    and (counter_mode = 1 or (counter_mode is null and coalesce(following, whisper, black, follower) is not null))
order by mid

-- name: leaving_persons
select mid, known.mid is null as is_new from person left join known using (mid) where state = 2 order by mid

-- name: groups_to_have
select owner, given, name from own_group order by owner, given

-- name: relations_to_have
select
    source, relation_ready.mid, fid, if(is_given, attribute, null), mtime, default_mtime(source), re_src,
    if(groups is null, null, coalesce(ids, []))
from relation_ready
left join (
    select owner, other, list(group_id order by group_id) as ids from member group by owner, other
) as member on member.owner = relation_ready.mid and member.other = fid
order by relation_ready.mid, fid
