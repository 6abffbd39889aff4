-- Worktrees are held for as long as something runs in them. The lease tells a holder's earlier run, which a host that was
-- believed dead may still be at, from its present one; a broken slot is never handed out again before it was removed.
ALTER TABLE worktrees
  ADD COLUMN lease text,
  ADD COLUMN used_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  ADD COLUMN broken_reason text;

-- Who waits for a worktree, first come first served. Looked at again by whoever waits: an old look is somebody who has gone.
CREATE TABLE worktree_requests (
  host_id       text NOT NULL,
  repository_id text NOT NULL REFERENCES repositories (repository_id),
  holder        text NOT NULL,
  asked_at      timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  looked_at     timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (host_id, repository_id, holder)
);

-- What a setup command made, kept as one file per key on one host. The digest is here and not beside the file: who can
-- write the file cannot make it pass for what was kept.
CREATE TABLE dependency_caches (
  host_id       text NOT NULL,
  repository_id text NOT NULL REFERENCES repositories (repository_id),
  key           text NOT NULL,
  -- The only worktree it works in, where something in it names that; else empty.
  bound_path    text NOT NULL,
  sha256        text NOT NULL,
  size_bytes    bigint NOT NULL,
  roots         jsonb NOT NULL,
  made_at       timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  used_at       timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (host_id, repository_id, key, bound_path)
);

-- The last turn of each host's janitor, with what it removed.
CREATE TABLE workspace_hosts (
  host_id   text PRIMARY KEY,
  tidied_at timestamptz(3) NOT NULL,
  report    jsonb NOT NULL
);

-- Commits of ended missions that landed nowhere: kept as a git bundle before their refs go.
CREATE TABLE work_bundles (
  mission_id    text NOT NULL REFERENCES missions (mission_id),
  ref           text NOT NULL,
  commit        text NOT NULL,
  repository_id text NOT NULL REFERENCES repositories (repository_id),
  sha256        text NOT NULL,
  size_bytes    bigint NOT NULL,
  kept_at       timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (mission_id, ref, commit)
);
