/** `mission watch`: each change as it happens, until the end. */
import { Command } from 'commander';
import { ApiError, ApiUnreachable, type ApiClient, type Answer } from '../../client.ts';
import type { MissionDetail } from '../../../domain/mission-view.ts';
import { isTerminal } from '../../../domain/mission.ts';
import type { StageRecord } from '../../../domain/stages.ts';
import { apiPath, withJson, type OutputOptions } from '../answer.ts';
import { id, number } from '../arguments.ts';
import { connect } from '../connection.ts';
import { exitCodes } from '../exit.ts';
import { jsonWatcher, lineWatcher, tableWatcher, type Watcher } from '../watcher.ts';

/** The API has no stream yet, so it is asked again; a read is about a millisecond's work. */
const lookMs = 300;

export const missionWatch = (): Command => withJson(new Command('watch')
  .description('follow a mission to its end; exits 0 when it is resolved, 1 when not. With --json: a line for each change, the last one is the end')
  .argument('<mission>', 'mission id', id)
  .option('--lines', 'a line for each change on a terminal too, instead of a table')
  .option('--patience <seconds>', 'how long the API may be away before this gives up', number, 60))
  .action(async (mission: string, { json, lines, patience }: OutputOptions & { lines?: true; patience: number }) => {
    const watcher = json ? jsonWatcher() : process.stdout.isTTY && !lines ? tableWatcher() : lineWatcher();
    const end = await follow(connect(), mission, watcher, patience * 1_000);
    process.exitCode = end.status === 'resolved' ? exitCodes.ok : exitCodes.failed;
  });

/** @throws ApiError, ApiUnreachable after `patienceMs` without an answer */
async function follow(client: ApiClient, id: string, watcher: Watcher, patienceMs: number): Promise<MissionDetail> {
  const path = apiPath('missions', id);
  let last: string | undefined;
  // A mission that is not there, or nobody there at the start, is said at once; what goes away later may come back.
  let look = (): Promise<Answer<MissionDetail>> => client.send<MissionDetail>('GET', path);
  for (;;) {
    const answer = await look();
    look = () => patiently(() => client.send<MissionDetail>('GET', path), patienceMs);
    if (answer.text !== last) {
      last = answer.text;
      const { items } = await patiently(() => client.get<{ items: StageRecord[] }>(apiPath('missions', id, 'stages')), patienceMs);
      watcher.changed(answer, items);
    } else watcher.unchanged(answer);
    if (isTerminal(answer.body.status)) {
      watcher.ended(answer.body);
      return answer.body;
    }
    await pause(lookMs);
  }
}

/** Any process may die and come back at any moment; a mission goes on, and so does who watches it. */
async function patiently<T>(ask: () => Promise<T>, patienceMs: number): Promise<T> {
  const giveUpAt = Date.now() + patienceMs;
  for (let told = false; ; told = true) {
    try {
      return await ask();
    } catch (error) {
      const passing = error instanceof ApiUnreachable || (error instanceof ApiError && (error.status >= 500 || error.status === 429));
      if (!passing || Date.now() > giveUpAt) throw error;
      if (!told) process.stderr.write(`${error.message}; the mission does not depend on it, still asking\n`);
      await pause(lookMs);
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });
