-- Tracked missions: work that somebody else does and reports on. And templates of missions.

-- What its reports say beyond the mission's own row. Null is "nobody said", never 0.
CREATE TABLE tracked_missions (
  mission_id     text PRIMARY KEY REFERENCES missions (mission_id),
  -- Who started it: besides its author and whoever it is assigned to, the one agent that may report on it.
  started_by     text,
  agent_type     text,
  model_used     text,
  progress       double precision NOT NULL DEFAULT 0,
  tokens_used    bigint,
  cost_micro_usd bigint,
  result         jsonb,
  metadata       jsonb,
  message        text,
  last_report_at timestamptz(3)
);

CREATE TABLE mission_templates (
  template_id text PRIMARY KEY,
  created_seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  name        text NOT NULL,
  description text,
  package     jsonb NOT NULL,
  created_by  text NOT NULL,
  created_at  timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- A removed one makes no mission any more; a repeated request still finds the mission it made.
  removed_at  timestamptz(3)
);
CREATE UNIQUE INDEX mission_templates_name ON mission_templates (name) WHERE removed_at IS NULL;

-- Figures over all missions are read from this index alone.
CREATE INDEX missions_figures ON missions (created_at)
  INCLUDE (status, started_at, ended_at, tokens, cost_micro_usd, usage_unreported);

-- The kinds are `notifyingEventTypes` of the domain.
DROP TRIGGER events_unnotified ON events;
CREATE TRIGGER events_unnotified AFTER INSERT ON events FOR EACH ROW
  WHEN (NEW.type IN ('mission.waiting', 'mission.stalled', 'mission.status_changed', 'merge.violation', 'queue.frozen', 'finding.opened',
    'capa.overdue', 'budget.warning', 'budget.exhausted', 'control.stopped', 'notification.test_requested'))
  EXECUTE FUNCTION note_unnotified();
