-- When a session or an API token ends, whatever it is used for. What was there before ends 90 days after this.
ALTER TABLE session ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;
UPDATE session SET expires_at = (unixepoch() + 90 * 86400) * 1000;
CREATE INDEX session_by_end ON session (expires_at);
