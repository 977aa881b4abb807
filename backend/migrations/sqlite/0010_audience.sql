-- A set of people finds a conversation only while its members are that set. `member_set` is cleared when somebody comes
-- or goes; this column then keeps what it was, so that a command that was sent to the set is known again.
ALTER TABLE conversation ADD COLUMN former_set BLOB;

-- Whether the member has written a message here since they came. Presence is told between people who both have.
-- The column is set once, by a statement of its own: an update that names it changes the index.
ALTER TABLE member ADD COLUMN has_written INTEGER NOT NULL DEFAULT 0;
CREATE INDEX member_written ON member (conversation, user, has_written) WHERE has_written = 1;
