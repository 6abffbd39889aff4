-- The last records of a mission, newest first, as `<number>:<digest of what it says>`: what a workflow task wrote before it
-- was lost with its worker is told from what its successor writes under the same number.
ALTER TABLE missions ADD COLUMN recent_records text[] NOT NULL DEFAULT '{}';
