/** What runs: launcher, api, worker, and whether all agree on the time. */
import { join } from 'node:path';
import { startedAt } from '../../../processes.mjs';
import { ApiError, ApiUnreachable } from '../../client.ts';
import { apiPath } from '../answer.ts';
import { apiUrl, connect } from '../connection.ts';
import { fail, ok, warn } from './check.ts';
import type { Subject } from './examine.ts';
import { databaseUrl, withDatabase } from './servers.ts';

const answerWithinMs = 5_000;

const isElsewhere = (): boolean => Boolean(process.env['MISSION_CONTROL_URL']);
const isAnywhere = ({ run }: Subject): boolean => run !== undefined || isElsewhere();
const notRunning = warn('not running', 'missionctl start');

export function launcherAlive({ run, home }: Subject) {
  if (run === undefined) return isElsewhere() ? ok('another host\'s: MISSION_CONTROL_URL is set') : warn(`nothing runs in ${home}`, 'missionctl start');
  const pid = run.pids['launcher'];
  return typeof pid === 'number' && startedAt(pid) !== undefined ? ok(`pid ${pid}`)
    : fail(`run.json names pid ${pid}, and there is no such process: it was killed`, 'missionctl start: it stops what is left, and missions go on');
}

export async function apiReady(subject: Subject) {
  if (!isAnywhere(subject)) return notRunning;
  const url = apiUrl();
  const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(answerWithinMs) }).catch((error: Error) => error);
  const logs = isElsewhere() ? 'is MISSION_CONTROL_URL right, and does it run?' : `see ${join(subject.home, 'logs', 'api.log')}`;
  if (answer instanceof Error) return fail(new ApiUnreachable(url, answer).message, logs);
  const { not_ready = [] } = await answer.json().catch(() => ({})) as { not_ready?: string[] };
  if (answer.status !== 200) return fail(`${url} is not ready for missions: ${not_ready.join(', ') || `HTTP ${answer.status}`}`, logs);
  // Ready says nothing about the key; a call that needs one does.
  try {
    await connect().get(apiPath('status'));
    return ok(`${url} is ready, and knows the key`);
  } catch (error) {
    if (!(error instanceof ApiError)) return fail((error as Error).message, 'set MISSION_CONTROL_KEY');
    return fail(`${url} is ready, but not for us: ${error.message}`, 'set MISSION_CONTROL_KEY to a key that is valid there');
  }
}

export async function workerThere(subject: Subject) {
  if (!isAnywhere(subject)) return notRunning;
  const answer = await fetch(`${apiUrl()}/health/ready`, { signal: AbortSignal.timeout(answerWithinMs) }).catch(() => undefined);
  if (answer === undefined) return warn('unknown: the api does not say', 'see api');
  const { not_ready = [] } = await answer.json().catch(() => ({ not_ready: ['worker'] })) as { not_ready?: string[] };
  if (!not_ready.includes('worker')) return ok('polls for work');
  return fail('no worker takes work: missions wait', isElsewhere() ? 'see the worker\'s log' : `see ${join(subject.home, 'logs', 'worker.log')}`);
}

/** A sample may be a minute ahead of the api's clock; beyond that, pushes are refused and windows judge the wrong time. */
const mostSkewMs = 60_000;
/** The HTTP header `Date` counts whole seconds. */
const noticeSkewMs = 3_000;

export async function clock(subject: Subject) {
  const places: [string, () => Promise<number>][] = [];
  const url = await databaseUrl(subject).catch(() => undefined);
  if (url !== undefined) places.push(['PostgreSQL', () => databaseTime(url)]);
  if (subject.run?.temporal_ui_url) places.push(['Temporal', () => serverTime(subject.run!.temporal_ui_url!)]);
  if (isElsewhere()) places.push(['the api', () => serverTime(`${apiUrl()}/health/live`)]);
  const measured = await Promise.all(places.map(async ([name, ask]) => ({ name, skew: await skewOf(ask) })));
  const known = measured.flatMap(({ name, skew }) => (skew === undefined ? [] : [{ name, skew }]));
  if (known.length === 0) return ok('nothing runs to compare it with');
  const said = known.map(({ name, skew }) => `${name} ${(skew / 1_000).toFixed(1)} s apart`).join(', ');
  const worst = Math.max(...known.map(({ skew }) => Math.abs(skew)));
  const todo = 'keep the hosts\' clocks in step (NTP)';
  if (worst > mostSkewMs) return fail(said, todo);
  return worst > noticeSkewMs ? warn(said, todo) : ok(said);
}

/** Theirs minus ours, against the middle of the question. Undefined when they do not answer, which is another check's to say. */
async function skewOf(ask: () => Promise<number>): Promise<number | undefined> {
  const before = Date.now();
  const theirs = await ask().catch(() => NaN);
  return Number.isFinite(theirs) ? theirs - (before + Date.now()) / 2 : undefined;
}

const databaseTime = (url: string): Promise<number> => withDatabase(url, async (client) => {
  const { rows } = await client.query<{ ms: string }>('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms');
  return Number(rows[0]?.ms);
});

async function serverTime(url: string): Promise<number> {
  const answer = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(answerWithinMs) });
  return Date.parse(answer.headers.get('date') ?? '');
}
