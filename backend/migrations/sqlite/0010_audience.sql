-- A set of people finds a conversation only while its members are that set. `member_set` is cleared when somebody comes
-- or goes; this column then keeps what it was, so that a command that was sent to the set is known again.
ALTER TABLE conversation ADD COLUMN former_set BLOB;
