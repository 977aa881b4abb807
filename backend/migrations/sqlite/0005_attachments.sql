-- Files. Their bytes lie beside the database, in a file named by the id; a row is there before any message names it.
CREATE TABLE attachment (
  id           BLOB PRIMARY KEY CHECK (length(id) = 16),
  -- Who has uploaded it.
  owner        BLOB NOT NULL,
  name         TEXT NOT NULL,
  media_type   TEXT NOT NULL,
  size         INTEGER NOT NULL,
  -- In pixels, of pictures.
  width        INTEGER,
  height       INTEGER,
  -- What the small picture of it is; NULL: there is none.
  thumbnail    TEXT,
  created_at   INTEGER NOT NULL,
  -- The message that carries it; NULL: none yet.
  conversation INTEGER REFERENCES conversation (key),
  seq          INTEGER,
  -- Whether it is the picture of a person, which everybody may see.
  is_avatar    INTEGER NOT NULL DEFAULT 0,
  -- Since when nobody may have it any more. The row goes after the file.
  removed_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX attachment_by_owner ON attachment (owner, size) WHERE removed_at IS NULL;
CREATE INDEX attachment_by_message ON attachment (conversation, seq) WHERE conversation IS NOT NULL;
CREATE INDEX attachment_unsent ON attachment (created_at) WHERE conversation IS NULL AND is_avatar = 0 AND removed_at IS NULL;
CREATE INDEX attachment_removed ON attachment (removed_at) WHERE removed_at IS NOT NULL;

-- The picture of a person.
ALTER TABLE user ADD COLUMN avatar BLOB;
