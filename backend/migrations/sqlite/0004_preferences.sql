-- What somebody wants of a conversation, as JSON; NULL is nothing in particular.
ALTER TABLE member ADD COLUMN preferences TEXT;
