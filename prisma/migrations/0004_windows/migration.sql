-- Observation windows as they were run: what is needed to judge one again from its samples alone.
CREATE TABLE observation_windows (
  mission_id    text NOT NULL REFERENCES missions (mission_id),
  -- From 1: an extension is a window of its own.
  window_no     integer NOT NULL,
  spec          jsonb NOT NULL,
  t0            timestamptz(3) NOT NULL,
  landed_at     timestamptz(3) NOT NULL,
  -- Revision that samples must be of; null: of a window that was begun before this table was there.
  revision      text,
  -- Of the policy and of the catalog's entries that concern the mission, when the window began.
  config_digest text NOT NULL,
  -- Figures from before the change, by metric id; taken once.
  baselines     jsonb NOT NULL,
  confounders   jsonb NOT NULL DEFAULT '[]',
  -- Null while it runs, and for one that was cancelled.
  verdict       jsonb,
  judged_by     text CHECK (judged_by IN ('judge', 'person')),
  judged_at     timestamptz(3),
  PRIMARY KEY (mission_id, window_no),
  CHECK ((verdict IS NULL) = (judged_by IS NULL) AND (verdict IS NULL) = (judged_at IS NULL))
);

-- Landings are looked for at every tick of every window, by time alone.
CREATE INDEX events_landings ON events (ts) WHERE type IN ('merge.landed', 'merge.reverted');

-- Attempts of agents that did not say what they used: the sums beside it leave those out.
ALTER TABLE missions ADD COLUMN usage_unreported integer NOT NULL DEFAULT 0;
