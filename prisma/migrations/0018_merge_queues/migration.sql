-- What people see of a merge queue. Its workflow is the truth of what it does; this row is written as it does it.
ALTER TABLE merge_queues
  DROP COLUMN frozen_reason,
  ADD COLUMN current    jsonb,
  ADD COLUMN frozen     jsonb,
  ADD COLUMN updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp();

-- Which mission put a commit on its branch: asked when a landing is at odds with what landed before it.
CREATE INDEX missions_landed ON missions (landed_commit) WHERE landed_commit IS NOT NULL;
