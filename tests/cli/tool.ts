/** `missionctl` as its users run it: the built tool as a process of its own. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { projectRoot } from '../../src/project.ts';

export interface Ended { code: number | null; out: string; err: string }

export interface Running {
  pid: number;
  ended: Promise<Ended>;
  /** Resolves with the first line of its output that matches; rejects when it ends without one. */
  line(pattern: RegExp): Promise<string>;
}

export interface Surroundings { url?: string; key?: string; home?: string; input?: string; env?: Record<string, string> }

const entry = join(projectRoot, 'dist', 'cli', 'missionctl', 'main.js');

export function startTool(args: readonly string[], { url, key, home, input, env = {} }: Surroundings = {}, script = entry): Running {
  const ours = Object.entries(process.env).filter(([name]) => !/^(MISSION_CONTROL|DATABASE_URL|TEMPORAL)/.test(name));
  const child = spawn(process.execPath, [script, ...args], {
    env: {
      ...Object.fromEntries(ours),
      ...(url === undefined ? {} : { MISSION_CONTROL_URL: url }), ...(key === undefined ? {} : { MISSION_CONTROL_KEY: key }),
      ...(home === undefined ? {} : { MISSION_CONTROL_HOME: home }), ...env,
    },
  });
  child.stdin.end(input ?? '');
  const lines: string[] = [];
  let err = '';
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString(); });
  child.stderr.on('data', (chunk: Buffer) => { err += chunk.toString(); });
  const waiting: { pattern: RegExp; resolve: (line: string) => void }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    for (const { pattern, resolve } of waiting) if (pattern.test(line)) resolve(line);
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
  return {
    pid: child.pid!,
    ended,
    line: (pattern) => new Promise((resolve, reject) => {
      const seen = lines.find((line) => pattern.test(line));
      if (seen !== undefined) return resolve(seen);
      waiting.push({ pattern, resolve });
      void ended.then(({ code }) => reject(new Error(`it ended with ${code} and never said ${pattern.source}:\n${out}${err}`)));
    }),
  };
}

export const tool = (args: readonly string[], surroundings: Surroundings = {}): Promise<Ended> => startTool(args, surroundings).ended;
