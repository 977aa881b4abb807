-- What the rest of the contract needs: changing and deleting messages, reactions, roles, API tokens,
-- when somebody was last there, and accounts that are no more.

-- When the person's last socket closed. NULL: they never had one.
ALTER TABLE user ADD COLUMN last_seen_at INTEGER;
-- An account that was deleted keeps its row, because its messages still name it; nothing else of it.
ALTER TABLE user ADD COLUMN deleted_at INTEGER;

-- What an API token is for; NULL is a browser's session. A token's last_seen_at is 0 until it is used.
ALTER TABLE session ADD COLUMN name TEXT;

ALTER TABLE member ADD COLUMN role TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'moderator', 'member'));
-- A group made before there were roles belongs to whoever wrote first.
UPDATE member SET role = 'owner' WHERE EXISTS (
  SELECT 1 FROM event JOIN conversation ON conversation.key = event.conversation
  WHERE conversation.kind = 'group' AND event.conversation = member.conversation AND event.seq = 1
    AND event.sender = member.user
);

-- The message that an edit, a deletion or a reaction is about.
ALTER TABLE event ADD COLUMN target INTEGER;
CREATE INDEX event_by_target ON event (conversation, target) WHERE target IS NOT NULL;

-- How each reaction stands now: what history folds into messages without reading the whole log.
CREATE TABLE reaction (
  conversation INTEGER NOT NULL REFERENCES conversation (key) ON DELETE CASCADE,
  target       INTEGER NOT NULL,
  emoji        TEXT NOT NULL,
  user         BLOB NOT NULL,
  is_on        INTEGER NOT NULL,
  -- The event that made it so, and when: the answer to being asked for the same state again.
  seq          INTEGER NOT NULL,
  at           INTEGER NOT NULL,
  PRIMARY KEY (conversation, target, emoji, user)
) STRICT, WITHOUT ROWID;
