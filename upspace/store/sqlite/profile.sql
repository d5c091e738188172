-- An account is written by one insert into this view: with a busy event loop, what a write costs is the number of its
-- statements. Whoever inserts has looked whether the account is deleted, which is final. The columns are those of the
-- structs, in their order.

create temp view profile as select
    0 as mid, 0 as name, 0 as sex, 0 as face, 0 as face_nft, 0 as sign, 0 as rank, 0 as level, 0 as coins, 0 as birthday,
    0 as is_senior_member, 0 as nft_icon, 0 as official, 0 as vip, 0 as decorations,
    0 as state, 0 as hides_followings, 0 as hides_followers, 0 as hides_birthday, 0 as counter_mode,
    0 as following, 0 as whisper, 0 as black, 0 as follower,
    0 as archive_view, 0 as article_view, 0 as likes, 0 as archive_count, 0 as article_count;

create temp trigger put_profile instead of insert on profile begin
    -- In mode derived the counters that are stored are right: those given count where one of both is reported.
    insert into standing values (
        new.mid, new.state, new.hides_followings, new.hides_followers, new.hides_birthday, new.counter_mode,
        new.following, new.whisper, new.black, new.follower)
    on conflict (mid) do update set
        state = excluded.state, hides_followings = excluded.hides_followings,
        hides_followers = excluded.hides_followers, hides_birthday = excluded.hides_birthday,
        following = iif(max(standing.counter_mode, excluded.counter_mode), excluded.following, standing.following),
        whisper = iif(max(standing.counter_mode, excluded.counter_mode), excluded.whisper, standing.whisper),
        black = iif(max(standing.counter_mode, excluded.counter_mode), excluded.black, standing.black),
        follower = iif(max(standing.counter_mode, excluded.counter_mode), excluded.follower, standing.follower),
        counter_mode = excluded.counter_mode;
    insert or replace into account values (
        new.mid, new.name, new.sex, new.face, new.face_nft, new.sign, new.rank, new.level, new.coins, new.birthday,
        new.is_senior_member, new.nft_icon, new.official, new.vip, new.decorations);
    insert or replace into upstat values (
        new.mid, new.archive_view, new.article_view, new.likes, new.archive_count, new.article_count);
end;
