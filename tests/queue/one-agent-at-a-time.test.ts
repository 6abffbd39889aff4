import { afterAll, beforeAll, expect, test } from 'vitest';
import { agentElsewhere, changingNoWork, queuedMission } from '../support/agents.ts';
import { call } from '../support/http.ts';
import { brokenAdd, calculator, fixedAdd, type TestRepository } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let repository: TestRepository;
let ada: Awaited<ReturnType<typeof agentElsewhere>>;
let ben: typeof ada;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  repository = system.repository(calculator);
  [ada, ben] = [await agentElsewhere(system, 'ada'), await agentElsewhere(system, 'ben')];
});
afterAll(() => system.stop());

async function abort(id: string): Promise<void> {
  await (await system.as('operator', 'operator')).post(`/mission-control/missions/${id}/abort`, { reason: 'test' });
  await system.whenEnded(id);
}
const whyWaiting = async (id: string): Promise<string> => (await system.mission(id)).waiting_on?.reason ?? '';
const events = async (id: string, type: string) =>
  (await system.reader.get<{ items: { type: string; payload: Record<string, unknown>; actor: { id: string } }[] }>(`/mission-control/missions/${id}/timeline`)).items.filter((event) => event.type === type);

test('of many agents that claim at once exactly one gets the mission, and the others are told who has it until when', async () => {
  const id = await queuedMission(system, repository);
  expect(await system.mission(id)).toMatchObject({ status: 'in_progress', waiting_on: { kind: 'agent', reason: 'no agent has taken it yet', on_deadline: 'escalate' } });
  const crowd = await Promise.all(Array.from({ length: 6 }, (_, i) => agentElsewhere(system, `crowd-${i}`)));
  const answers = await Promise.allSettled(crowd.map((agent) => agent.claim(id)));
  const won = answers.filter((answer) => answer.status === 'fulfilled');
  expect(won).toHaveLength(1);
  const { lease, brief, base } = won[0]!.value;
  for (const answer of answers) {
    if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ status: 409, code: 'LEASE_HELD', message: expect.stringContaining(`${lease.agent_id} holds ${id} until ${lease.expires_at.slice(0, 10)}`) });
  }
  expect(brief).toContain('# Adding is wrong');
  expect(brief).toContain('- adds');
  expect(base).toEqual({ commit: repository.tip(), tree: repository.tree() });
  // The winner that asks again has the same lease.
  expect((await crowd.find((agent) => agent.id === lease.agent_id)!.claim(id)).lease).toMatchObject({ lease_id: lease.lease_id });
  expect(await events(id, 'lease.granted')).toHaveLength(1);
  expect(await system.reader.get('/mission-control/queue')).toMatchObject({ items: expect.arrayContaining([expect.objectContaining({ mission_id: id, state: 'held', agent_id: lease.agent_id })]) });
  await abort(id);
  await expect(ada.claim(id)).rejects.toMatchObject({ status: 409, code: 'MISSION_ENDED' });
});

test('a lease that nobody extends returns the mission, an extended one does not; a late patch changes nothing', async () => {
  const id = await queuedMission(system, repository);
  const { lease } = await ada.claim(id, { lease_seconds: 1 });
  await system.whenStatus(id, ({ waiting_on }) => waiting_on?.reason === `ada works on it (${lease.lease_id})`);
  const kept = await ada.keep(lease, 300);
  expect(Date.parse(kept.expires_at)).toBeGreaterThan(Date.parse(lease.expires_at) + 200_000);
  const second = await queuedMission(system, repository);
  const lost = (await ben.claim(second, { lease_seconds: 1 })).lease;
  await system.whenStatus(second, ({ waiting_on }) => waiting_on?.reason === 'its agent is gone, and no other one has taken it');
  // The timers of both are over: only the one that was not extended is lost.
  expect(await whyWaiting(id)).toContain('ada works on it');
  expect(await events(second, 'lease.lost')).toMatchObject([{ payload: { agent_id: 'ben', end_reason: 'expired' } }]);
  await changingNoWork(system, async () => {
    await expect(ben.post(lost, repository.diff(fixedAdd))).rejects.toMatchObject({ status: 409, code: 'LEASE_LOST' });
    await expect(ben.keep(lost)).rejects.toMatchObject({ status: 409, code: 'LEASE_LOST' });
    await expect(ben.giveBack(lost)).rejects.toMatchObject({ status: 409, code: 'LEASE_LOST' });
  });
  expect((await ada.next()).mission?.mission_id).toBe(second);
  expect((await ada.claim(second)).lease.agent_id).toBe('ada');
  for (const mission of [id, second]) await abort(mission);
});

test('what is given back is in the queue again, and giving back twice is once', async () => {
  const id = await queuedMission(system, repository);
  const { lease } = await ada.claim(id);
  const waits = ben.next('&wait=20');
  const back = await ada.giveBack(lease);
  expect(back).toMatchObject({ end_reason: 'given_back' });
  expect(await ada.giveBack(lease)).toEqual(back);
  expect((await waits).mission?.mission_id).toBe(id);
  expect(await events(id, 'lease.lost')).toMatchObject([{ actor: { id: 'ada' }, payload: { end_reason: 'given_back' } }]);
  await abort(id);
});

test('a hundred agents wait at once without a database connection each, and all of them hear of a mission', async () => {
  const connections = async (): Promise<number> =>
    (await system.db.database.query<{ n: number }>('SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()'))[0]!.n;
  const before = await connections();
  const waits = Array.from({ length: 100 }, (_, i) => ada.api.get<{ mission: { mission_id: string } | null }>(`/mission-control/queue/next?agent_id=waiting-${i}&needs=patch&wait=14`));
  // Others are answered meanwhile.
  await system.reader.get('/mission-control/status');
  expect(await connections()).toBeLessThan(before + 40);
  const id = await queuedMission(system, repository);
  expect((await Promise.all(waits)).map(({ mission }) => mission?.mission_id)).toEqual(waits.map(() => id));
  await abort(id);
});

test('nobody works under another name, with another\'s lease, or in a role that nobody gave them', async () => {
  const id = await queuedMission(system, repository);
  await expect(ben.claim(id, { agent_id: 'ada' })).rejects.toMatchObject({ status: 403, code: 'NOT_YOUR_AGENT_ID' });
  await expect(ben.claim(id, { agent_role: 'surgeon' })).rejects.toMatchObject({ status: 403, code: 'ROLE_UNPROVED' });
  const { lease } = await ada.claim(id);
  await changingNoWork(system, async () => {
    await expect(ben.post(lease, repository.diff(fixedAdd))).rejects.toMatchObject({ status: 403, code: 'NOT_YOUR_AGENT_ID' });
    await expect(ben.keep(lease)).rejects.toMatchObject({ status: 403 });
    await expect(ben.giveBack(lease)).rejects.toMatchObject({ status: 403 });
    await expect(ada.keep({ ...lease, lease_id: 'lease_20200101_001_1' })).rejects.toMatchObject({ status: 404, code: 'LEASE_NOT_FOUND' });
  });
  const key = (await system.headers('ben', 'agent')).authorization.slice('Bearer '.length);
  expect((await call(system.url, `/mission-control/missions/${id}/base.bundle`, { key })).status).toBe(403);
  await abort(id);

  await system.configure('agents.yaml', 'agents: {ben: {kind: queue, roles: [surgeon]}}\n');
  const roled = await queuedMission(system, repository, { trust_requirements: { allowed_roles: ['surgeon'], requires_governance_approval: false } });
  await expect(ada.claim(roled)).rejects.toMatchObject({ status: 409, code: 'NOT_FOR_THIS_AGENT', message: expect.stringContaining('it allows the roles surgeon, not none') });
  const trusted = await queuedMission(system, repository, { trust_requirements: { required_trust_score: 0.9, requires_governance_approval: false } });
  await expect(ben.claim(trusted)).rejects.toMatchObject({ status: 409, code: 'NOT_FOR_THIS_AGENT', message: expect.stringContaining('requires a trust score of 0.9') });
  expect((await ben.claim(roled, { agent_role: 'surgeon' })).lease).toMatchObject({ agent_id: 'ben', agent_role: 'surgeon' });
  for (const mission of [roled, trusted]) await abort(mission);
});

test('a claim starts what nobody has started; what has a patch of its own is not claimed', async () => {
  const { mission_id: idle } = await system.send(repository, [], { workspace: { repo_path: repository.path }, execute: false });
  const offered = await ada.next();
  expect(offered).toMatchObject({ mission: { mission_id: idle }, take: `/mission-control/queue/${idle}/claim` });
  // Preparing may take longer than an answer may: then the claim says so, and the queue names it again.
  await system.until(() => ada.claim(idle).catch((error: { code: string }) => { if (error.code !== 'MISSION_PREPARING') throw error; }));
  const { mission_id: given } = await system.send(repository, [repository.diff(fixedAdd)], { execute: false });
  expect(await ada.api.get('/mission-control/queue/next?agent_id=ada')).toMatchObject({ take: `/mission-control/missions/${given}/execute` });
  await expect(ada.claim(given)).rejects.toMatchObject({ status: 409, code: 'MISSION_NOT_CLAIMABLE' });
  for (const mission of [idle, given]) await abort(mission);
});

test('a lease and a patch outlive the worker: claimed before it died, posted after it came back, judged once', async () => {
  const id = await queuedMission(system, repository);
  const { lease } = await ada.claim(id, { lease_seconds: 15 });
  await system.stopWorker();
  // The agent is alive and its mission's worker is not: the heartbeat needs none.
  await ada.keep(lease, 120);
  await system.startWorker();
  const diff = repository.diff(brokenAdd);
  // At the same moment: two updates, and records of both and of the pipeline, that the next worker must replay.
  const [first, second] = await Promise.all([ada.post(lease, diff), ada.post(lease, diff)]);
  expect(second.number).toBe(first.number);
  await system.stopWorker();
  await system.startWorker();
  expect(await ada.result(id, first.number)).toMatchObject({ state: 'failed', again: true });
  expect(await events(id, 'patch.posted')).toHaveLength(1);
  expect(await ada.post(lease, diff), 'the same bytes are no further attempt').toMatchObject({ number: first.number, state: 'failed' });
  await abort(id);
});
