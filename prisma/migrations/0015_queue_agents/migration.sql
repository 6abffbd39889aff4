-- Agents elsewhere take missions over HTTP: what is offered, who holds it until when, and the patches they post.

ALTER TABLE missions
  -- It waits for an agent to take it, and nobody holds it.
  ADD COLUMN offered boolean NOT NULL DEFAULT false,
  -- The artefact with what its agent is told now.
  ADD COLUMN brief text,
  -- And the commit that it starts from: another one than the first when the target went on meanwhile.
  ADD COLUMN base_commit text,
  -- The agent that posted the last patch: what becomes of the mission counts for its trust.
  ADD COLUMN worked_by text;

-- The queue in its order: what waits for an agent, and what nobody has started.
CREATE INDEX missions_for_agents ON missions (severity_rank, created_seq)
  WHERE offered OR (status = 'open' AND execute_requested_at IS NULL);
-- Of these, what an agent can claim: missions that have no patch yet.
CREATE INDEX missions_for_patches ON missions (severity_rank, created_seq)
  WHERE offered OR (status = 'open' AND execute_requested_at IS NULL AND mission_type = 'coding' AND package #> '{workspace,patch_candidates}' = '[]');

-- Trust is asked for with every look into the queue.
CREATE INDEX missions_by_worker ON missions ((coalesce(worked_by, assigned_to, created_by)), created_seq DESC)
  WHERE outcome IN ('landed', 'completed', 'rolled_back', 'rejected', 'failed');

CREATE TABLE agent_leases (
  lease_id      text PRIMARY KEY,
  mission_id    text NOT NULL REFERENCES missions (mission_id),
  agent_id      text NOT NULL,
  agent_role    text,
  lease_seconds double precision NOT NULL,
  granted_at    timestamptz(3) NOT NULL,
  -- By this database's clock, which alone says whether it is over.
  expires_at    timestamptz(3) NOT NULL,
  ended_at      timestamptz(3),
  end_reason    text
);
CREATE INDEX agent_leases_mission ON agent_leases (mission_id, granted_at);
CREATE UNIQUE INDEX agent_leases_held ON agent_leases (mission_id) WHERE ended_at IS NULL;

CREATE TABLE agent_patches (
  mission_id     text NOT NULL REFERENCES missions (mission_id),
  number         integer NOT NULL,
  lease_id       text NOT NULL REFERENCES agent_leases (lease_id),
  agent_id       text NOT NULL,
  kind           text NOT NULL,
  artifact       text NOT NULL,
  size_bytes     bigint NOT NULL,
  -- What the agent says that it used. Null is "not said", never 0.
  tokens         bigint,
  cost_micro_usd bigint,
  state          text NOT NULL,
  reason         text,
  stages         jsonb NOT NULL DEFAULT '[]',
  -- Whether a further patch is wanted.
  again          boolean NOT NULL DEFAULT false,
  posted_at      timestamptz(3) NOT NULL,
  ended_at       timestamptz(3),
  PRIMARY KEY (mission_id, number)
);
