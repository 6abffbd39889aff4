/** The whole system for benches, as `npm start` runs it, in a data directory of its own. */
import { spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onAnyEnd } from './system.mjs';

const script = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'cli', 'start.mjs');

/** Waits until `look` finds something; what it throws is "not yet". */
export async function until(look, everyMs = 10) {
  for (;;) {
    const found = await Promise.resolve().then(look).catch(() => undefined);
    if (found) return found;
    await new Promise((resolve) => { setTimeout(resolve, everyMs); });
  }
}

/** @param environment of the launcher and so of everything it starts, beside our own */
export async function launchSystem(environment = {}) {
  const home = await mkdtemp(join(tmpdir(), 'mission-control-bench-'));
  // The shipped configuration, but commands may see `gates` in the data directory, whatever sandbox they are in.
  const config = join(home, 'bench-config');
  cpSync(join(dirname(script), '..', '..', 'config'), config, { recursive: true });
  const policy = readFileSync(join(config, 'policy.yaml'), 'utf8');
  writeFileSync(join(config, 'policy.yaml'), policy.replace('  writable: []', `  writable: [${JSON.stringify(join(home, 'gates'))}]`));
  const launcher = spawn(process.execPath, [script], {
    env: { ...process.env, MISSION_CONTROL_CONFIG: config, ...environment, MISSION_CONTROL_HOME: home, MISSION_CONTROL_PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  onAnyEnd(() => { launcher.kill('SIGINT'); });
  const ended = new Promise((resolve) => { launcher.once('close', resolve); });
  await new Promise((resolve, reject) => {
    createInterface({ input: launcher.stdout }).on('line', (line) => { if (line.includes('is ready')) resolve(); });
    launcher.once('close', () => reject(new Error('it did not start')));
  });
  const runFile = () => JSON.parse(readFileSync(join(home, 'run.json'), 'utf8'));
  const key = readFileSync(join(home, 'admin.key'), 'utf8').trim();
  return {
    home, runFile,
    /** @throws with the problem's code and text when the answer is none of 2xx */
    async call(method, path, body) {
      const response = await fetch(`${runFile().api_url}/mission-control${path}`, {
        method, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const answer = await response.json();
      if (!response.ok) throw new Error(`${method} ${path}: ${answer.code} ${answer.detail} ${JSON.stringify(answer.errors ?? '')}`);
      return answer;
    },
    async stop() {
      launcher.kill('SIGINT');
      await ended;
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** A mission that is neither observed nor approved by people; candidates are diffs. */
export const missionOn = (path, diffs, more = {}) => ({
  subsystem_id: 'bench', severity: 'low', execute: true, trust_requirements: { requires_governance_approval: false },
  acceptance_criteria: { observation_window_minutes: 0.001, observation_window: { metrics: 'none', reason: 'bench' } },
  workspace: { repo_path: path, patch_candidates: diffs.map((text) => ({ kind: 'diff', text })) },
  ...more,
});

/** A diff that adds one file of one line. */
export const addsFile = (path, line) => `diff --git a/${path} b/${path}\nnew file mode 100644\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+${line}\n`;

/** A diff that changes the only line of a file. */
export const changesLine = (path, from, to) => `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n-${from}\n+${to}\n`;
