-- Browser sign-in: sessions that live and die with an API key, and the codes of one use that start one.
-- Both secrets are kept as HMACs only, with the pepper of the API keys.

CREATE TABLE sessions (
  token_hmac text PRIMARY KEY,
  -- What events and people call it; the HMAC stays here.
  session_id uuid NOT NULL UNIQUE,
  key_id     text NOT NULL REFERENCES api_keys (key_id),
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- Moves on with use, never past ends_at.
  expires_at timestamptz(3) NOT NULL,
  ends_at    timestamptz(3) NOT NULL
);
CREATE INDEX sessions_key ON sessions (key_id, created_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE sign_in_codes (
  code_hmac  text PRIMARY KEY,
  key_id     text NOT NULL REFERENCES api_keys (key_id),
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz(3) NOT NULL
);
CREATE INDEX sign_in_codes_key ON sign_in_codes (key_id, created_at);
CREATE INDEX sign_in_codes_expiry ON sign_in_codes (expires_at);

-- The overview's figures, read up to twice a second: what began, ended and landed lately, and what waits.
CREATE INDEX missions_started ON missions (started_at) WHERE started_at IS NOT NULL;
CREATE INDEX missions_waiting ON missions (mission_id) WHERE waiting_on IS NOT NULL;
CREATE INDEX mission_stages_merged ON mission_stages (ended_at) WHERE name = 'merge_changes' AND status = 'passed';
