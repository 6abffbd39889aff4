/** Where to connect, and as whom. Never from argv: every user of the host can read the arguments of a process. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createClient, type ApiClient } from '../client.ts';
import type { RunFile } from '../launcher/main.ts';
import { Ending, exitCodes, usageError } from './exit.ts';

export const homeFolder = (): string => resolve(process.env['MISSION_CONTROL_HOME'] || '.mission-control');

/** What the launcher writes while it runs; undefined when nothing was started here. */
export function readRunFile(home = homeFolder()): RunFile | undefined {
  const text = readIfThere(join(home, 'run.json'));
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as RunFile;
  } catch {
    throw new Ending(exitCodes.unavailable, `${join(home, 'run.json')} is not readable JSON; stop what runs there and start it again`);
  }
}

/**
 * The api's address: MISSION_CONTROL_URL, else what runs in MISSION_CONTROL_HOME.
 * @throws Ending unavailable, saying what to do
 */
export function apiUrl(): string {
  const named = process.env['MISSION_CONTROL_URL'];
  if (named) return checkedUrl(named);
  const run = readRunFile();
  if (run === undefined) {
    throw new Ending(exitCodes.unavailable, `nothing runs in ${homeFolder()} (no run.json there). ${startHint}`);
  }
  return checkedUrl(run.api_url);
}

const startHint = 'Start it: missionctl start. Another one: set MISSION_CONTROL_HOME, or MISSION_CONTROL_URL and MISSION_CONTROL_KEY.';

export const unreachableHint = (): string => (process.env['MISSION_CONTROL_URL']
  ? 'Is MISSION_CONTROL_URL right, and does it run? What is wrong: missionctl doctor.'
  : 'What is wrong: missionctl doctor. Start it: missionctl start.');

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) throw usageError('MISSION_CONTROL_URL is not an http(s) address');
  if (url.username !== '' || url.password !== '') throw usageError('MISSION_CONTROL_URL must hold no user or password; the key goes into MISSION_CONTROL_KEY');
  return url.href.replace(/\/+$/, '').replace(/\/mission-control$/, '');
}

/** @throws Ending when there is no key: usage for a named address, since the data directory's key is not for strangers */
function apiKey(): string {
  const named = process.env['MISSION_CONTROL_KEY'];
  if (named) return usableKey(named, 'MISSION_CONTROL_KEY');
  if (process.env['MISSION_CONTROL_URL']) throw usageError('MISSION_CONTROL_URL is set and MISSION_CONTROL_KEY is not: set both, or neither');
  const path = join(homeFolder(), 'admin.key');
  const key = readIfThere(path);
  if (key === undefined) throw new Ending(exitCodes.unavailable, `there is no ${path}; set MISSION_CONTROL_KEY`);
  return usableKey(key, path);
}

function usableKey(text: string, from: string): string {
  const key = text.trim();
  if (!/^\w+$/.test(key)) throw usageError(`${from} does not hold an API key (mck_…)`);
  return key;
}

/** @throws Ending */
export const connect = (): ApiClient => createClient(apiUrl(), apiKey());

/** @throws Ending when it is there and not ours to read */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new Ending(exitCodes.unavailable, `${path} cannot be read (${code}). Be its owner, or set MISSION_CONTROL_URL and MISSION_CONTROL_KEY.`);
  }
}
