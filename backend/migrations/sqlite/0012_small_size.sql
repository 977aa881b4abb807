-- How many bytes the small form of a picture has, which count for its owner like the picture itself. NULL with a small form:
-- it was made before this, and is looked up on the disk once the server runs.
ALTER TABLE attachment ADD COLUMN small_size INTEGER;
DROP INDEX attachment_by_owner;
CREATE INDEX attachment_by_owner ON attachment (owner, size, small_size) WHERE removed_at IS NULL;
CREATE INDEX attachment_unmeasured ON attachment (id)
  WHERE thumbnail IS NOT NULL AND small_size IS NULL AND removed_at IS NULL;
