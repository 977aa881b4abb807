-- The first shape of the database. Ids are the 16 bytes of a UUID; times are milliseconds since the
-- Unix epoch, UTC. Rows that are read by number carry a small integer key beside their id, so that
-- indexes stay narrow.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
  id            BLOB PRIMARY KEY CHECK (length(id) = 16),
  email         TEXT NOT NULL,
  -- The address in lower case: two addresses that differ in case only are one.
  email_key     TEXT NOT NULL UNIQUE,
  display_name  TEXT NOT NULL,
  -- The name in lower case, for searching people.
  name_key      TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX user_by_name ON user (name_key, id);

CREATE TABLE session (
  id           BLOB PRIMARY KEY CHECK (length(id) = 16),
  -- SHA-256 of the token. The token itself is only in the browser.
  token_hash   BLOB NOT NULL UNIQUE,
  user         BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  created_at   INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  user_agent   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_user ON session (user);

CREATE TABLE conversation (
  key           INTEGER PRIMARY KEY,
  id            BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  kind          TEXT NOT NULL CHECK (kind IN ('direct', 'group', 'channel', 'everyone')),
  name          TEXT,
  -- SHA-256 over the sorted ids of the set of people it was made for, so that the same set finds it.
  member_set    BLOB UNIQUE,
  created_at    INTEGER NOT NULL,
  last_seq      INTEGER NOT NULL DEFAULT 0,
  -- How many of its events are messages.
  message_count INTEGER NOT NULL DEFAULT 0,
  -- The position of its newest event: what lists are sorted by.
  last_position INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE member (
  conversation  INTEGER NOT NULL REFERENCES conversation (key) ON DELETE CASCADE,
  user          BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  joined_at     INTEGER NOT NULL,
  delivered_seq INTEGER NOT NULL DEFAULT 0,
  read_seq      INTEGER NOT NULL DEFAULT 0,
  -- How many messages there are up to read_seq. Since writing moves one's own read position, what is
  -- after it is others': unread = conversation.message_count - member.read_count.
  read_count    INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (conversation, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_by_user ON member (user, conversation);

-- The log. `position` orders all conversations' events as they were committed.
CREATE TABLE event (
  position      INTEGER PRIMARY KEY,
  conversation  INTEGER NOT NULL REFERENCES conversation (key),
  seq           INTEGER NOT NULL,
  at            INTEGER NOT NULL,
  sender        BLOB NOT NULL,
  -- The contract's `kind` object, as JSON.
  kind          TEXT NOT NULL,
  -- How many messages there are up to and including this event.
  message_count INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_by_seq ON event (conversation, seq);

-- What makes a command idempotent: its id, once for each user, and what came of it.
CREATE TABLE command (
  user         BLOB NOT NULL,
  id           BLOB NOT NULL CHECK (length(id) = 16),
  -- The first 16 bytes of SHA-256 over the command's fields; another value is another command.
  fingerprint  BLOB NOT NULL,
  conversation INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  at           INTEGER NOT NULL,
  PRIMARY KEY (user, id)
) STRICT, WITHOUT ROWID;
