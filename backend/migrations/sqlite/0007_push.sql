-- Where browsers are told of messages while the page is closed: one place for each session. It ends with the session.
CREATE TABLE push_subscription (
  session    BLOB PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
  user       BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  -- The browser's own address at its push service.
  endpoint   TEXT NOT NULL UNIQUE,
  -- What the browser can decrypt with: a point of P-256, and a secret.
  public_key BLOB NOT NULL CHECK (length(public_key) = 65),
  secret     BLOB NOT NULL CHECK (length(secret) = 16),
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX push_subscription_by_user ON push_subscription (user);

-- One row once anybody wants to be told: what the server signs with, and the last event of the log that was seen to.
CREATE TABLE push_state (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  signer     BLOB NOT NULL CHECK (length(signer) = 32),
  position   INTEGER NOT NULL
) STRICT;
