-- Whether a picture has several frames, one after the other. Of pictures from before this it is not known, and not said.
ALTER TABLE attachment ADD COLUMN is_animated INTEGER NOT NULL DEFAULT 0;
