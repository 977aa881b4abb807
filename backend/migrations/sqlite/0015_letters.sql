-- Names in the forms in which they are compared. All of them are filled in by the program, which knows the letters
-- (`account::migrate` and `conversation::migrate`); `name_key` of people and conversations gets its new form there, too.

-- The name with all spellings of it made one (`shared::fold::fold`), and composed in lower case (`shared::fold::exact`).
ALTER TABLE user ADD COLUMN name_fold TEXT NOT NULL DEFAULT '';
ALTER TABLE user ADD COLUMN name_exact TEXT NOT NULL DEFAULT '';
CREATE INDEX user_by_fold ON user (name_fold, name_exact, id) WHERE deleted_at IS NULL;
