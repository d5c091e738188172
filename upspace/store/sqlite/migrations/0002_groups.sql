-- oldest compatible: 2

-- The own groups of accounts. An id is never used again, also not after its group is deleted.
create table own_group (
    id integer primary key autoincrement,
    owner integer not null,
    name text not null
) strict;

create unique index own_group_name on own_group (owner, name);
create index own_group_age on own_group (owner, id);
