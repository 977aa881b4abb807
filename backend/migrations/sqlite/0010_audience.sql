-- A set of people finds a conversation only while its members are that set. `member_set` is cleared when somebody comes
-- or goes; this column then keeps what it was, so that a command that was sent to the set is known again.
ALTER TABLE conversation ADD COLUMN former_set BLOB;

-- Whether the member has written a message here since they came. Presence is told between people who both have.
-- The column is set once, by a statement of its own: an update that names it changes the index.
ALTER TABLE member ADD COLUMN has_written INTEGER NOT NULL DEFAULT 0;
CREATE INDEX member_written ON member (conversation, user, has_written) WHERE has_written = 1;

-- Groups and channels that a person has left by themselves: nobody else brings them back in. A row goes when the person
-- comes back or deletes the account.
CREATE TABLE departure (
  user         BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  conversation INTEGER NOT NULL REFERENCES conversation (key) ON DELETE CASCADE,
  -- Whether they may come back by themselves.
  may_return   INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (user, conversation)
) STRICT, WITHOUT ROWID;
