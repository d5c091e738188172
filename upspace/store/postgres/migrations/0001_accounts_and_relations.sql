-- oldest compatible: 1

-- Every table but the last three is found by the account that its rows belong to (tokens by their digest), so that it can
-- be spread over the nodes of a cluster: keys begin with that column, and no foreign key leads to another account.

-- What people see of an account. A deleted account has no row here.
create table account (
    mid bigint primary key,
    name text not null,
    sex text not null,
    face text not null,
    face_nft integer not null,
    sign text not null,
    rank integer not null,
    level integer not null,
    coins double precision not null,
    birthday text not null,
    is_senior_member integer not null,
    nft_icon text not null,
    official text,
    vip text,
    decorations text
);

-- What rules and lists need of an account: small, read by nearly every request, kept for deleted accounts too. A pair is
-- guarded by locking both its rows in the order of their mids. Counters change often and no index holds them: the room
-- left in each page lets a new version of a row stay beside the old one.
create table standing (
    mid bigint primary key,
    state integer not null,
    hides_followings boolean not null,
    hides_followers boolean not null,
    hides_birthday boolean not null,
    counter_mode integer not null,
    following bigint not null,
    whisper bigint not null,
    black bigint not null,
    follower bigint not null,
    -- The last transaction that wrote for this account: what a replica must have seen before its owner reads there.
    written bigint not null default 0
) with (fillfactor = 70);

create table upstat (
    mid bigint primary key,
    archive_view bigint not null,
    article_view bigint not null,
    likes bigint not null,
    archive_count bigint not null,
    article_count bigint not null
);

-- The owner's side of a pair: attribute 1 whisper, 2 following, 128 black; mutual tells 2 from 6.
create table relation (
    owner bigint not null,
    other bigint not null,
    attribute integer not null,
    mutual boolean not null,
    mtime bigint not null,
    re_src integer not null,
    primary key (owner, other)
);

create index relation_list on relation (owner, attribute, mtime, other);

-- The other side of each follow. Its mtime equals that of the relation, so the list order is the whole key.
create table follower (
    owner bigint not null,
    mtime bigint not null,
    other bigint not null,
    primary key (owner, mtime, other)
);

create table grouped (
    owner bigint not null,
    other bigint not null,
    group_id bigint not null,
    primary key (owner, other, group_id)
);

-- The own groups of accounts. An id is never used again, also not after its group is deleted.
create sequence own_group_id;

create table own_group (
    owner bigint not null,
    id bigint not null,
    name text not null,
    primary key (owner, id)
);

create unique index own_group_name on own_group (owner, name);

create table token (
    digest bytea primary key,
    mid bigint not null,
    issued bigint not null,
    expires bigint,
    revoked bigint,
    note text not null
);

create index token_of on token (mid, issued);

-- Which accounts were written, newest last. A row with mid 0 stands for all accounts. The numbers come from the one row of
-- change_counter, which whoever writes accounts holds until the commit: so they are seen in their order, without gaps.
create table account_change (
    number bigint primary key,
    mid bigint not null
);

create table change_counter (
    number bigint not null
) with (fillfactor = 10);

insert into change_counter values (0);

create table mark (
    name text primary key,
    value text not null
);
