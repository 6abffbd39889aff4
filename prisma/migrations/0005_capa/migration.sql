-- CAPA records become documents with a life: what people fill in, versions, dates, and what their workflow knows.
ALTER TABLE capas
  ADD COLUMN created_seq  bigserial UNIQUE,
  ADD COLUMN record       jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN version      integer NOT NULL DEFAULT 1,
  -- The newest version that the record's workflow was told of. Behind `version` after a crash between the two, and for a
  -- record whose workflow was never started: the reconciler mends both.
  ADD COLUMN told_version integer NOT NULL DEFAULT 0,
  -- The earliest date that somebody can be late with; null when there is none.
  ADD COLUMN first_due_at timestamptz(3),
  ADD COLUMN updated_at   timestamptz(3) NOT NULL DEFAULT clock_timestamp();
CREATE INDEX capas_untold ON capas (capa_id) WHERE told_version < version;
CREATE INDEX capas_due ON capas (first_due_at) WHERE first_due_at IS NOT NULL;
-- Trends read a period.
CREATE INDEX capas_opened ON capas (opened_at);

-- A record's history: its id is the workflow id of its events.
CREATE INDEX events_capa ON events (workflow_id, ts, event_id) WHERE workflow_id LIKE 'CAPA-%';
