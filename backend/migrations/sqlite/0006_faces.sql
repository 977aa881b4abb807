-- What a person says of themselves in a few words.
ALTER TABLE user ADD COLUMN status TEXT;
-- What others are not told of them.
ALTER TABLE user ADD COLUMN hides_presence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE user ADD COLUMN hides_typing INTEGER NOT NULL DEFAULT 0;
CREATE INDEX user_discreet ON user (id) WHERE hides_presence OR hides_typing;

-- What a channel is about, and whether everybody here finds it and may join.
ALTER TABLE conversation ADD COLUMN topic TEXT;
ALTER TABLE conversation ADD COLUMN is_public INTEGER NOT NULL DEFAULT 0;
-- Its name in lower case, for searching those.
ALTER TABLE conversation ADD COLUMN name_key TEXT;
CREATE INDEX conversation_public ON conversation (name_key, key) WHERE is_public = 1;
