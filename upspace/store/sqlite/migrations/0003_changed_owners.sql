-- oldest compatible: 3

-- Whose rows each commit has written, newest last, as a JSON array of mids; null stands for all accounts. Every commit leaves
-- a row here, an empty array if it has written nothing that others see.
create table owner_change (
    number integer primary key,
    owners text
) strict;

create trigger owner_change_pruned after insert on owner_change begin
    delete from owner_change where number <= new.number - 1000;
end;
