-- How many bytes of a person's room their files take, and the small forms of their pictures: a sum that is kept, so that the
-- writer reads one row, however many files there are. Each file and each small form counts 4,096 at least (`FILE_BYTES_MIN`);
-- what is removed counts nothing. Triggers keep the sum: whatever changes a row, it is right.
ALTER TABLE attachment ADD COLUMN charged INTEGER GENERATED ALWAYS AS (
  CASE WHEN removed_at IS NOT NULL THEN 0
  ELSE max(size, 4096) + CASE WHEN small_size > 0 THEN max(small_size, 4096) ELSE 0 END END
) VIRTUAL;
CREATE TABLE attachment_total (
  owner BLOB PRIMARY KEY,
  bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO attachment_total (owner, bytes) SELECT owner, sum(charged) FROM attachment GROUP BY owner;

CREATE TRIGGER attachment_added AFTER INSERT ON attachment BEGIN
  INSERT INTO attachment_total (owner, bytes) VALUES (new.owner, new.charged)
    ON CONFLICT (owner) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER attachment_changed AFTER UPDATE OF size, small_size, removed_at ON attachment BEGIN
  UPDATE attachment_total SET bytes = bytes + new.charged - old.charged WHERE owner = new.owner;
END;
CREATE TRIGGER attachment_forgotten AFTER DELETE ON attachment BEGIN
  UPDATE attachment_total SET bytes = bytes - old.charged WHERE owner = old.owner;
END;

-- The index that the sum was read from also found the pictures of a person, among all of their files.
DROP INDEX attachment_by_owner;
CREATE INDEX attachment_avatar ON attachment (owner) WHERE is_avatar = 1 AND removed_at IS NULL;
