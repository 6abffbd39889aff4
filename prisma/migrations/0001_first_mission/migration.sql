-- Registry, read model, evidence index and the events that become the ledger.

-- Events: insert-only. They carry no sequence number; the sealer gives the order (ledger table, later migration).
CREATE TABLE events (
  event_id        uuid PRIMARY KEY,
  ts              timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  type            text NOT NULL,
  actor           jsonb NOT NULL,
  mission_id      text,
  workflow_id     text,
  run_id          text,
  stage           text,
  attempt         integer,
  payload_digest  text NOT NULL,
  idempotency_key text NOT NULL UNIQUE
);
CREATE INDEX events_mission ON events (mission_id, ts, event_id);

-- Payloads lie beside the record, bound by a salted digest, so that one can be redacted without breaking the chain.
CREATE TABLE event_payloads (
  event_id uuid PRIMARY KEY REFERENCES events (event_id),
  salt     text NOT NULL,
  payload  jsonb NOT NULL
);

CREATE TABLE unsealed (
  event_id uuid PRIMARY KEY REFERENCES events (event_id)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER events_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION note_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO unsealed (event_id) VALUES (NEW.event_id);
  RETURN NULL;
END $$;
CREATE TRIGGER events_unsealed AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION note_unsealed();

-- One notification a statement, without a payload: listeners read what is there.
CREATE FUNCTION notify_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('mission_control_events', '');
  RETURN NULL;
END $$;
CREATE TRIGGER events_notify AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION notify_unsealed();

-- Counters behind the readable ids; the row lock makes numbers gapless within a committed transaction.
CREATE TABLE counters (
  name text PRIMARY KEY,
  last integer NOT NULL
);

CREATE TABLE repositories (
  repository_id  text PRIMARY KEY,
  name           text NOT NULL UNIQUE,
  origin         text NOT NULL UNIQUE,
  kind           text NOT NULL CHECK (kind IN ('path', 'url')),
  default_branch text NOT NULL,
  settings       jsonb NOT NULL,
  created_by     text NOT NULL,
  created_at     timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE api_keys (
  key_id       text PRIMARY KEY,
  principal_id text NOT NULL,
  kind         text NOT NULL CHECK (kind IN ('person', 'agent', 'service')),
  role         text NOT NULL CHECK (role IN ('viewer', 'operator', 'approver', 'admin', 'agent')),
  name         text NOT NULL,
  secret_hmac  text NOT NULL,
  created_by   text NOT NULL,
  created_at   timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  expires_at   timestamptz(3),
  revoked_at   timestamptz(3)
);

-- Ed25519 public keys that mission packages may be signed with.
CREATE TABLE signing_keys (
  key_id       text PRIMARY KEY,
  principal_id text NOT NULL,
  public_key   text NOT NULL UNIQUE,
  created_by   text NOT NULL,
  created_at   timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  revoked_at   timestamptz(3)
);

CREATE TABLE missions (
  mission_id           text PRIMARY KEY,
  -- Creation order: the keyset of lists. Ids do not sort as text.
  created_seq          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  package              jsonb NOT NULL,
  mission_type         text NOT NULL,
  subsystem_id         text NOT NULL,
  severity             text NOT NULL,
  severity_rank        integer NOT NULL,
  assigned_to          text,
  labels               text[] NOT NULL DEFAULT '{}',
  repository_id        text REFERENCES repositories (repository_id),
  parent_mission_id    text REFERENCES missions (mission_id),
  status               text NOT NULL,
  outcome              text,
  stage                text,
  progress             integer NOT NULL DEFAULT 0,
  paused               boolean NOT NULL DEFAULT false,
  waiting_on           jsonb,
  context              jsonb NOT NULL,
  remediation_history  jsonb NOT NULL DEFAULT '[]',
  tokens               bigint NOT NULL DEFAULT 0,
  cost_micro_usd       bigint NOT NULL DEFAULT 0,
  landed_commit        text,
  landed_tree          text,
  capa_id              text,
  ended_reason         text,
  created_by           text NOT NULL,
  created_at           timestamptz(3) NOT NULL,
  execute_requested_at timestamptz(3),
  started_at           timestamptz(3),
  ended_at             timestamptz(3),
  updated_at           timestamptz(3) NOT NULL,
  -- Number of the last record the workflow wrote: an older one that arrives late changes nothing.
  record_seq           integer NOT NULL DEFAULT 0
);
CREATE INDEX missions_status ON missions (status, created_seq DESC);
CREATE INDEX missions_subsystem ON missions (subsystem_id, created_seq DESC);
CREATE INDEX missions_severity ON missions (severity, created_seq DESC);
CREATE INDEX missions_unstarted ON missions (execute_requested_at) WHERE status = 'open' AND execute_requested_at IS NOT NULL;

-- Missions that must be resolved before another may start its work.
CREATE TABLE mission_dependencies (
  mission_id text NOT NULL REFERENCES missions (mission_id),
  depends_on text NOT NULL REFERENCES missions (mission_id),
  PRIMARY KEY (mission_id, depends_on)
);
CREATE INDEX mission_dependencies_on ON mission_dependencies (depends_on);

CREATE TABLE mission_stages (
  mission_id  text NOT NULL REFERENCES missions (mission_id),
  name        text NOT NULL,
  attempt     integer NOT NULL,
  status      text NOT NULL,
  started_at  timestamptz(3),
  ended_at    timestamptz(3),
  duration_ms integer,
  reason      text,
  evidence    jsonb NOT NULL DEFAULT '[]',
  PRIMARY KEY (mission_id, name, attempt)
);

CREATE TABLE artifacts (
  sha256     text PRIMARY KEY,
  size_bytes bigint NOT NULL,
  media_type text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE approvals (
  approval_id  text PRIMARY KEY,
  mission_id   text NOT NULL REFERENCES missions (mission_id),
  status       text NOT NULL,
  digests      jsonb NOT NULL,
  required     integer NOT NULL,
  rules        jsonb NOT NULL,
  decisions    jsonb NOT NULL DEFAULT '[]',
  requested_at timestamptz(3) NOT NULL,
  deadline     timestamptz(3) NOT NULL
);
CREATE INDEX approvals_status ON approvals (status, requested_at DESC);
CREATE INDEX approvals_mission ON approvals (mission_id);

CREATE TABLE metrics (
  metric_id    text PRIMARY KEY,
  definition   jsonb NOT NULL,
  updated_by   text NOT NULL,
  updated_at   timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE metric_samples (
  sample_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  metric_id         text NOT NULL,
  at                timestamptz(3) NOT NULL,
  value             double precision NOT NULL,
  observed_revision text,
  source            text NOT NULL,
  pushed_by         text NOT NULL,
  pushed_role       text NOT NULL,
  received_at       timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX metric_samples_series ON metric_samples (metric_id, at DESC);

-- One row per tick and metric of an observation window; the judge reads these.
CREATE TABLE window_samples (
  mission_id text NOT NULL REFERENCES missions (mission_id),
  -- Which window of the mission, from 1: an extension is a window of its own.
  window_no  integer NOT NULL,
  metric_id  text NOT NULL,
  tick       integer NOT NULL,
  at         timestamptz(3) NOT NULL,
  kind       text NOT NULL,
  value      double precision,
  reason     text,
  PRIMARY KEY (mission_id, window_no, metric_id, tick)
);

CREATE TABLE capas (
  capa_id           text PRIMARY KEY,
  state             text NOT NULL,
  source            text NOT NULL,
  fingerprint       text NOT NULL,
  occurrences       integer NOT NULL DEFAULT 1,
  mission_id        text REFERENCES missions (mission_id),
  subsystem_id      text NOT NULL,
  problem_statement text NOT NULL,
  evidence          jsonb NOT NULL DEFAULT '[]',
  opened_by         text NOT NULL,
  opened_at         timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX capas_open_fingerprint ON capas (fingerprint)
  WHERE state NOT IN ('REJECTED', 'CLOSED_EFFECTIVE', 'VOIDED');

CREATE TABLE idempotency_keys (
  principal_id text NOT NULL,
  key          text NOT NULL,
  body_digest  text NOT NULL,
  mission_id   text NOT NULL,
  created_at   timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (principal_id, key)
);

-- Results of effects by key: an activity that runs a second time finds what the first run did.
CREATE TABLE effects (
  key        text PRIMARY KEY,
  result     jsonb NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);

-- Worktree slots of each host; a slot belongs to its holder until released.
CREATE TABLE worktrees (
  host_id       text NOT NULL,
  repository_id text NOT NULL REFERENCES repositories (repository_id),
  slot          integer NOT NULL,
  holder        text,
  PRIMARY KEY (host_id, repository_id, slot)
);
CREATE UNIQUE INDEX worktrees_holder ON worktrees (host_id, repository_id, holder);

CREATE TABLE merge_queues (
  repository_id text NOT NULL REFERENCES repositories (repository_id),
  target_branch text NOT NULL,
  frozen_reason text,
  PRIMARY KEY (repository_id, target_branch)
);
