/** Part 1: many missions wait for one branch at once; three of them want the same line, two another one. */
import { join } from 'node:path';
import { addsFile, changesLine, missionOn, until } from '../launched.mjs';
import { bareRepository, firstParents } from '../repositories.mjs';
import { queueHistories, turnsTaken } from './history.mjs';
import { eventsOf, landedOnes, mustPass, testedRepository, untested, whenAllEnded } from './judge.mjs';

const severities = ['low', 'high', 'medium'];

export async function conflictingMissions({ system, client, check }, count) {
  const { call } = system;
  const path = bareRepository(join(system.home, 'repositories', 'conflicts.git'), testedRepository);
  const { repository_id } = await call('POST', '/repositories', { name: 'conflicts', path, default_branch: 'main' });
  // All are to be waiting at once, so that there is an order to respect.
  await call('POST', `/queues/${repository_id}/freeze`, { target_branch: 'main', reason: 'until everybody waits' });

  // Three want one line and have something else to offer when it is taken; two want another line and have not.
  const diffsOf = (i) => {
    if (i < 3) return [changesLine('shared.txt', 'nobody', `mission ${i}`), addsFile(`parts/second-${i}`, 'yes')];
    if (i < 5) return [changesLine('other.txt', 'nobody', `mission ${i}`)];
    return [addsFile(`parts/${i}`, 'yes')];
  };
  const started = performance.now();
  const ids = [];
  for (let i = 0; i < count; i += 1) {
    const mission = await call('POST', '/missions', missionOn(path, diffsOf(i), { ...mustPass, severity: severities[i % severities.length] }));
    ids.push(mission.mission_id);
  }
  await until(async () => (await Promise.all(ids.map((id) => call('GET', `/missions/${id}`)))).every(({ waiting_on: wait }) => wait?.kind === 'landing'), 1_000);
  const proved = performance.now();
  // A worker as busy as this one may be too slow for the answer; then nothing was changed.
  await until(() => call('POST', `/queues/${repository_id}/unfreeze`, { target_branch: 'main', reason: 'everybody waits' }), 1_000);
  const missions = await whenAllEnded(system, ids);
  const over = performance.now();

  const landed = landedOnes(missions);
  const running = missions.filter(({ ended_at }) => ended_at === null);
  check(`${count} missions on one branch: none is left waiting`, running.length === 0, `${landed.length} landed, ${missions.length - landed.length - running.length} escalated, ${running.length} still run`);
  const bad = await untested(system, path, landed);
  check('every landed tree has a passed test run in its mission\'s evidence', bad.length === 0, `${landed.length - bad.length} of ${landed.length}`);
  const turns = turnsTaken(await queueHistories(client, repository_id));
  check('severity, then arrival, among those that waited', turns.wrong.length === 0 && turns.severitiesDiffered > 0,
    `${turns.choices} choices, ${turns.severitiesDiffered} among several severities, ${turns.wrong.length} out of turn${turns.wrong.length === 0 ? '' : `: ${turns.wrong.join(', ')}`}`);
  const refused = await eventsOf(system, missions, 'merge.refused');
  const named = refused.filter(({ payload, mission_id: id }) => payload.reason.includes(ids.indexOf(id) < 3 ? 'shared.txt' : 'other.txt'));
  check('three conflicts, each came back with its files', refused.length === 3 && named.length === 3, `${refused.length} came back, ${named.length} name the file`);
  const last = missions.slice(3, 5).find(({ landed_commit }) => landed_commit === null);
  check('two of them landed what else they had, the third says what it is up against', landed.length === count - 1 && last?.ended_reason.includes('other.txt') === true,
    last?.ended_reason.slice(0, 120) ?? 'both landed');
  const strangers = firstParents(path).slice(1).filter(({ commit }) => !landed.some(({ landed_commit }) => landed_commit === commit));
  check('nothing else is on the branch', strangers.length === 0, `${strangers.length} other commits`);
  console.log(`\n${count} missions: proved in ${seconds(proved - started)}, ${landed.length} landed in ${seconds(over - proved)}`);
}

const seconds = (ms) => `${(ms / 1_000).toFixed(1)} s`;
