-- What playbooks did, and to what: cooldown, recurrence and quarantine are counted from here.
CREATE TABLE healing_runs (
  mission_id       text NOT NULL REFERENCES missions (mission_id),
  -- Which plan of the mission, from 1: a playbook that did not help is followed by another one.
  attempt          integer NOT NULL,
  playbook_id      text NOT NULL,
  playbook_version integer NOT NULL,
  subsystem_id     text NOT NULL,
  resource_id      text NOT NULL,
  fingerprint      text NOT NULL,
  plan_digest      text,
  outcome          text NOT NULL,
  reason           text,
  started_at       timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  ended_at         timestamptz(3),
  -- Until then an effective run is provisional: the same symptom again makes it ineffective.
  provisional_until timestamptz(3),
  PRIMARY KEY (mission_id, attempt)
);
CREATE INDEX healing_runs_target ON healing_runs (playbook_id, subsystem_id, resource_id, started_at DESC);
CREATE INDEX healing_runs_fingerprint ON healing_runs (fingerprint, started_at DESC);

-- A playbook that did not help three times within a day is not run on that target until a person lifts this.
CREATE TABLE quarantines (
  quarantine_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  playbook_id   text NOT NULL,
  subsystem_id  text NOT NULL,
  resource_id   text NOT NULL,
  reason        text NOT NULL,
  capa_id       text,
  since         timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  lifted_at     timestamptz(3),
  lifted_by     text,
  lift_reason   text
);
CREATE UNIQUE INDEX quarantines_open ON quarantines (playbook_id, subsystem_id, resource_id) WHERE lifted_at IS NULL;
