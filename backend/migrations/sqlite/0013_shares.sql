-- What one person does to a message costs the writer the same, however many people have reacted to it.

-- Reactions that were taken back, of which each message keeps a few.
CREATE INDEX reaction_taken_back ON reaction (conversation, target, seq) WHERE is_on = 0;

-- Edits and deletions of a message. Reactions are looked for by nobody. A query names the condition as it stands here, or
-- it cannot use the index.
DROP INDEX event_by_target;
CREATE INDEX event_changed ON event (conversation, target)
  WHERE target IS NOT NULL AND substr(kind, 1, 11) <> '{"reacted":';
