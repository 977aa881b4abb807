-- Group requests: somebody wants a person in a group or channel with whom they have never talked. A row goes when the
-- person joins or declines, when the asker leaves the conversation, and with the account of either. Who is asked is no
-- member, and who asks is one.
CREATE TABLE group_request (
  user         BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  conversation INTEGER NOT NULL REFERENCES conversation (key) ON DELETE CASCADE,
  asker        BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  at           INTEGER NOT NULL,
  PRIMARY KEY (user, conversation)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_request_by_conversation ON group_request (conversation, asker);

-- Requests that the person has declined: neither that asker nor that conversation asks again. The newest 1,000 of a person
-- are kept.
CREATE TABLE group_refusal (
  user         BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  conversation INTEGER NOT NULL REFERENCES conversation (key) ON DELETE CASCADE,
  asker        BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  at           INTEGER NOT NULL,
  PRIMARY KEY (user, conversation)
) STRICT, WITHOUT ROWID;
