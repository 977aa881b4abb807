-- Names of accounts that are there: deleted ones all have the same, and nobody looks for it.
DROP INDEX user_by_name;
CREATE INDEX user_by_name ON user (name_key, id) WHERE deleted_at IS NULL;
