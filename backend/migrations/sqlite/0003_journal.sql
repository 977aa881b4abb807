-- Messages come from the journal. Their command stands in their own row: what makes it idempotent is one
-- index, not a second table. Ids are made in order of time, so that new ones go to the index's end.
ALTER TABLE event ADD COLUMN command BLOB;
-- The first 16 bytes of SHA-256 over the command's fields; another value is another command.
ALTER TABLE event ADD COLUMN fingerprint BLOB;
CREATE UNIQUE INDEX event_by_command ON event (command, sender) WHERE command IS NOT NULL;

-- The table of commands has those from before, and those that were answered with another command's event.
CREATE INDEX command_by_id ON command (id);
