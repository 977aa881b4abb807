-- The picture of a group or channel: a file of the conversation that no message carries.
ALTER TABLE conversation ADD COLUMN avatar BLOB;
