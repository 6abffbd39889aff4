-- Every restart of a service's instance that a playbook was granted: the restart budget counts these.
CREATE TABLE restarts (
  -- Mission, attempt, step and instance: a second try of the same effect is not counted twice.
  key        text PRIMARY KEY,
  target     text NOT NULL,
  mission_id text NOT NULL,
  kind       text NOT NULL,
  at         timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- The start that followed a stop: the two are one restart.
  resumed_by text
);
CREATE INDEX restarts_target ON restarts (target, at DESC);
