-- Detection: what was found, how each rule has gone, what is silenced, and how each subsystem is.

CREATE TABLE findings (
  finding_id         text PRIMARY KEY,
  -- Creation order: the keyset of lists.
  created_seq        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  fingerprint        text NOT NULL,
  rule_id            text NOT NULL,
  source             text NOT NULL,
  subsystem_id       text NOT NULL,
  resource_id        text,
  -- Class that playbooks match; null when no playbook may act on it.
  symptom            text,
  playbook_id        text,
  severity           text NOT NULL,
  title              text NOT NULL,
  attributes         jsonb NOT NULL,
  condition          text NOT NULL,
  condition_since    timestamptz(3) NOT NULL,
  -- The state that is shown: the condition, or what keeps it from having effects.
  state              text NOT NULL,
  state_since        timestamptz(3) NOT NULL,
  reason             text NOT NULL,
  value              double precision,
  occurrences        integer NOT NULL,
  no_data            integer NOT NULL,
  inhibited_by       text,
  silence_id         text,
  healing_mission_id text,
  healing_asked_at   timestamptz(3),
  first_seen_at      timestamptz(3) NOT NULL,
  fired_at           timestamptz(3),
  last_seen_at       timestamptz(3) NOT NULL,
  resolved_at        timestamptz(3),
  -- Number of the last change: part of its event's idempotency key.
  version            integer NOT NULL
);
-- At most one open finding per fingerprint, whoever evaluates.
CREATE UNIQUE INDEX findings_open ON findings (fingerprint) WHERE resolved_at IS NULL;
CREATE INDEX findings_fingerprint ON findings (fingerprint, created_seq DESC);
CREATE INDEX findings_subsystem ON findings (subsystem_id, created_seq DESC);
CREATE INDEX findings_fired ON findings (fired_at) WHERE fired_at IS NOT NULL;

-- How each rule has gone, kept across its findings.
CREATE TABLE rule_states (
  fingerprint  text PRIMARY KEY,
  rule_id      text NOT NULL,
  source       text NOT NULL,
  subsystem_id text NOT NULL,
  -- The last 21 outcomes, newest last: b for bad, g for good.
  evaluations  text NOT NULL,
  flapping     boolean NOT NULL,
  no_data      integer NOT NULL,
  last_at      timestamptz(3) NOT NULL
);
CREATE INDEX rule_states_last ON rule_states (last_at);

CREATE TABLE silences (
  silence_id text PRIMARY KEY,
  matchers   jsonb NOT NULL,
  reason     text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  until      timestamptz(3) NOT NULL,
  removed_at timestamptz(3)
);
CREATE INDEX silences_until ON silences (until) WHERE removed_at IS NULL;

CREATE TABLE subsystem_health (
  subsystem_id text PRIMARY KEY,
  state        text NOT NULL,
  reason       text,
  since        timestamptz(3) NOT NULL,
  measured_at  timestamptz(3) NOT NULL,
  duration_ms  integer NOT NULL,
  inhibited_by text,
  -- The newest result of each probe.
  probes       jsonb NOT NULL,
  version      integer NOT NULL
);

-- Signatures of webhooks, each taken once. Older than the replay window they are refused by their time.
CREATE TABLE signal_receipts (
  signature_digest text PRIMARY KEY,
  source           text NOT NULL,
  received_at      timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX signal_receipts_received ON signal_receipts (received_at);

-- The history of a finding: its events' keys start with its id. Pattern operators, since the collation is the server's.
CREATE INDEX events_finding ON events (idempotency_key text_pattern_ops) WHERE type LIKE 'finding.%';
