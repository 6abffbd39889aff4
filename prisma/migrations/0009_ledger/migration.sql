-- The ledger: events in their one order, chained, with the signed heads of the Merkle tree over them.

-- The order of sealing begins with it: an event of the end of time would stand before nothing.
ALTER TABLE events ADD CHECK (isfinite(ts));

-- What an event points at: artefacts by digest, commits. Part of the sealed record.
ALTER TABLE events ADD COLUMN links jsonb NOT NULL DEFAULT '[]';

-- A redacted payload is gone with its salt; the record keeps the digest, and an event tells who removed it and why.
ALTER TABLE event_payloads ALTER COLUMN payload DROP NOT NULL, ALTER COLUMN salt DROP NOT NULL,
  ADD CHECK ((payload IS NULL) = (salt IS NULL));

CREATE TABLE ledger (
  seq       bigint PRIMARY KEY CHECK (seq > 0),
  event_id  uuid NOT NULL UNIQUE REFERENCES events (event_id),
  -- leaf_hash of the record before; of the first one, zeros.
  prev      text NOT NULL CHECK (prev ~ '^[0-9a-f]{64}$'),
  leaf_hash text NOT NULL CHECK (leaf_hash ~ '^[0-9a-f]{64}$'),
  sealed_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER ledger_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Signed tree heads, one a batch: `note` is the C2SP checkpoint as it was signed.
CREATE TABLE ledger_checkpoints (
  size      bigint PRIMARY KEY CHECK (size > 0),
  root      text NOT NULL CHECK (root ~ '^[0-9a-f]{64}$'),
  note      text NOT NULL,
  sealed_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER ledger_checkpoints_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_checkpoints
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Hashes of the complete subtrees of 256^level leaves, so that a proof reads some hundred rows of a log of any size.
CREATE TABLE ledger_nodes (
  level integer NOT NULL CHECK (level > 0),
  index bigint NOT NULL,
  hash  text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
  PRIMARY KEY (level, index)
);
CREATE TRIGGER ledger_nodes_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_nodes
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The sealer empties this table all the time: without early cleaning it would read ever more dead rows.
ALTER TABLE unsealed SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- One statement for all events of a statement, not one for each: half the cost of writing many at once.
DROP TRIGGER events_unsealed ON events;
DROP TRIGGER events_notify ON events;
DROP FUNCTION notify_unsealed();
CREATE OR REPLACE FUNCTION note_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO unsealed (event_id) SELECT event_id FROM fresh;
  PERFORM pg_notify('mission_control_events', '');
  RETURN NULL;
END $$;
CREATE TRIGGER events_unsealed AFTER INSERT ON events REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION note_unsealed();
