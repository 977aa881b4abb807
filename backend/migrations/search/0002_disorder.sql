-- How far the times of events are from being in the order of the log, where a clock was set back. In milliseconds.

-- The latest time of an event that is in the index.
ALTER TABLE state ADD COLUMN newest INTEGER NOT NULL DEFAULT 0;
-- The most by which an event's time is before that of an earlier event.
ALTER TABLE state ADD COLUMN disorder INTEGER NOT NULL DEFAULT 0;
