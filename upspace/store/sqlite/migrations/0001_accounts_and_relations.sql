-- oldest compatible: 1

-- What people see of an account. A deleted account has no row here.
create table account (
    mid integer primary key,
    name text not null,
    sex text not null,
    face text not null,
    face_nft integer not null,
    sign text not null,
    rank integer not null,
    level integer not null,
    coins real not null,
    birthday text not null,
    is_senior_member integer not null,
    nft_icon text not null,
    official text,
    vip text,
    decorations text
) strict;

-- What rules and lists need of an account: small, read by nearly every request, kept for deleted accounts too.
create table standing (
    mid integer primary key,
    state integer not null,
    hides_followings integer not null,
    hides_followers integer not null,
    hides_birthday integer not null,
    counter_mode integer not null,
    following integer not null default 0,
    whisper integer not null default 0,
    black integer not null default 0,
    follower integer not null default 0
) strict;

create table upstat (
    mid integer primary key,
    archive_view integer not null,
    article_view integer not null,
    likes integer not null,
    archive_count integer not null,
    article_count integer not null
) strict;

-- The owner's side of a pair: attribute 1 whisper, 2 following, 128 black; mutual tells 2 from 6.
create table relation (
    owner integer not null,
    other integer not null,
    attribute integer not null,
    mutual integer not null default 0,
    mtime integer not null,
    re_src integer not null default 0,
    primary key (owner, other)
) strict, without rowid;

create index relation_list on relation (owner, attribute, mtime, other);

-- The other side of each follow. Its mtime equals that of the relation, so the list order is the whole key.
create table follower (
    owner integer not null,
    mtime integer not null,
    other integer not null,
    primary key (owner, mtime, other)
) strict, without rowid;

create table grouped (
    owner integer not null,
    other integer not null,
    group_id integer not null,
    primary key (owner, other, group_id)
) strict, without rowid;

create table token (
    digest blob primary key,
    mid integer not null,
    issued integer not null,
    expires integer,
    revoked integer,
    note text not null
) strict, without rowid;

create index token_of on token (mid, issued);

-- Which accounts were written, newest last. A row with mid 0 stands for all accounts.
create table account_change (
    number integer primary key autoincrement,
    mid integer not null
) strict;

create table mark (
    name text primary key,
    value text not null
) strict, without rowid;
