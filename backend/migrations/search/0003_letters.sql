-- Words are made by the program, which folds them and parts them by spaces (`shared::fold::Words`): what is left of the
-- tokenizer's work is to take what stands between spaces.
DROP TABLE message;
CREATE VIRTUAL TABLE message USING fts5 (text, place, prefix = '2 3 4 5', tokenize = 'ascii');
INSERT INTO message (message, rank) VALUES ('secure-delete', 1);
