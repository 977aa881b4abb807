-- What a person says of themselves in a few words.
ALTER TABLE user ADD COLUMN status TEXT;

-- What a channel is about, and whether everybody here finds it and may join.
ALTER TABLE conversation ADD COLUMN topic TEXT;
ALTER TABLE conversation ADD COLUMN is_public INTEGER NOT NULL DEFAULT 0;
CREATE INDEX conversation_public ON conversation (name, key) WHERE is_public = 1;
