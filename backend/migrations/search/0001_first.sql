-- The words of messages, in a file of its own: it is made from the log, follows behind it, and may be thrown away.

CREATE TABLE state (
  -- The history the index was made from.
  epoch    TEXT NOT NULL,
  -- The last event of the log that is in it.
  position INTEGER NOT NULL
) STRICT;

-- A row for each message, by its position in the log. `place` says in words of its own where it stands, who wrote it
-- and what it has, so that one look at the index is enough. The texts are kept, because only with them a deleted one
-- can be taken out of the index at once.
CREATE VIRTUAL TABLE message USING fts5 (text, place, prefix = '2 3 4 5', tokenize = 'unicode61 remove_diacritics 2');
-- What was deleted is overwritten, and not only passed over.
INSERT INTO message (message, rank) VALUES ('secure-delete', 1);
