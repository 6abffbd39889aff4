import { generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { canonical, digestOf } from '../../src/ledger/canonical.ts';
import { readPolicy } from '../../src/store/policy.ts';
import { brokenAdd, calculator, fixedAdd, type TestRepository } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
let repository: TestRepository;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  repository = system.repository(calculator);
});
afterAll(() => system.stop());

const open = async (more: Record<string, unknown>): Promise<string> =>
  (await system.send(repository, [repository.diff({ 'open.md': 'waiting to be taken\n' })], { execute: false, ...more })).mission_id;

interface Next { mission: { mission_id: string } | null; reason: string; trust_score: number; passed_over: { mission_id: string; reason: string }[] }
const next = async (agent: string, role?: string): Promise<Next> =>
  (await system.as('agent', 'agent')).get(`/mission-control/queue/next?agent_id=${agent}${role === undefined ? '' : `&agent_role=${role}`}`);

test('queue/next: the most urgent mission the agent may take, and why it may not take the others', async () => {
  expect(await next('newcomer')).toMatchObject({ mission: null, reason: 'no mission is waiting' });
  const trusted = await open({ severity: 'critical', trust_requirements: { required_trust_score: 0.9 } });
  const roled = await open({ severity: 'critical', trust_requirements: { allowed_roles: ['surgeon'] } });
  const assigned = await open({ severity: 'high', assigned_to: 'somebody' });
  const old = await open({ severity: 'medium' });
  const younger = await open({ severity: 'medium' });
  const depending = await open({
    severity: 'high', workspace: { repo_path: repository.path, dependencies: [old], patch_candidates: [{ kind: 'diff', text: repository.diff({ 'open.md': 'x\n' }) }] },
  });

  const answer = await next('newcomer');
  expect(answer.mission?.mission_id).toBe(old);
  expect(Object.fromEntries(answer.passed_over.map(({ mission_id, reason }) => [mission_id, reason]))).toEqual({
    [trusted]: `it requires a trust score of 0.9, newcomer has ${answer.trust_score}`,
    [roled]: 'it allows the roles surgeon, not none',
    [assigned]: 'it is assigned to somebody',
    [depending]: `${old} must be resolved first`,
  });
  expect((await next('newcomer', 'surgeon')).mission?.mission_id).toBe(roled);
  expect((await next('somebody')).mission?.mission_id).toBe(assigned);

  const operator = await system.as('operator', 'operator');
  for (const id of [trusted, roled, assigned, old, younger, depending]) await operator.post(`/mission-control/missions/${id}/abort`, { reason: 'test' });
  expect(await next('newcomer')).toMatchObject({ mission: null });
});

test('trust comes from outcomes only, and is explained by them', async () => {
  interface Trust { score: number; inputs: { mission_id: string; says: string; bad: number }[] }
  const trust = () => system.reader.get<Trust>('/mission-control/trust-scores/agent');
  const before = await trust();
  const bad = await system.whenEnded((await system.send(repository, [repository.diff(brokenAdd)])).mission_id);
  const after = await trust();
  expect(after.score).toBeLessThan(before.score);
  expect(after.inputs[0]).toMatchObject({ mission_id: bad.mission_id, says: 'could not be proved or landed' });
  const good = await system.whenEnded((await system.send(repository, [repository.diff(fixedAdd)])).mission_id);
  const best = await trust();
  expect(best.score).toBeGreaterThan(after.score);
  expect(best.inputs[0]).toMatchObject({ mission_id: good.mission_id, says: 'landed and observed well' });
  expect((await system.reader.get<{ items: { agent_id: string }[] }>('/mission-control/trust-scores')).items.map((item) => item.agent_id)).toContain('agent');
});

test('policy/check names the rules that would decide', async () => {
  const agent = await system.as('agent', 'agent');
  const check = (body: object) => agent.post<object>('/mission-control/policy/check', body);
  expect(await check({ severity: 'low', requires_governance_approval: false })).toMatchObject({ automatic: true, required_approvals: 0, rules: ['no approval rule applies'] });
  expect(await check({ severity: 'critical', requires_governance_approval: false, paths: ['.github/workflows/ci.yml', 'src/a.js'], vanished_tests: ['adds'] })).toMatchObject({
    automatic: false, required_approvals: 1, protected_paths: ['.github/workflows/ci.yml'],
    rules: ['severity is critical', 'protected paths changed: .github/workflows/ci.yml', 'tests vanished: adds'],
  });
});

test('the policy can be read, with the digest that its rulings name', async () => {
  const agent = await system.as('agent', 'agent');
  const read = await agent.get<{ policy_digest: string; policy: object }>('/mission-control/policy');
  expect(read.policy_digest).toBe(digestOf(await readPolicy(system.config.configFolder)));
  expect(read.policy).toMatchObject({ approvals: { required: 1, severities: ['critical'] }, scan: { block_at: 'error' } });
  expect(await agent.post('/mission-control/policy/check', { severity: 'low' })).toMatchObject({ policy_digest: read.policy_digest });
});

test('two approvers where the policy asks for two; one rejection is enough to end it', async () => {
  const policy = await readPolicy(system.config.configFolder);
  await system.configure('policy.yaml', JSON.stringify({ ...policy, approvals: { ...policy.approvals, required: 2 } }));
  const fresh = system.repository(calculator);
  const { mission_id } = await system.send(fresh, [fresh.diff(fixedAdd)], { trust_requirements: {} });
  const approval = await system.approval(mission_id);
  await system.decide(approval, 'approve', 'anna');
  await expect(system.decide(approval, 'approve', 'anna')).rejects.toMatchObject({ status: 409, code: 'APPROVAL_DECIDED' });
  expect((await system.mission(mission_id)).waiting_on?.kind).toBe('approval');
  await system.decide(approval, 'approve', 'ben');
  expect(await system.whenEnded(mission_id)).toMatchObject({ status: 'resolved' });

  await system.configure('policy.yaml', JSON.stringify({ ...policy, approvals: { ...policy.approvals, deadline_minutes: 0.02 } }));
  const other = system.repository(calculator);
  const expired = await system.whenEnded((await system.send(other, [other.diff(fixedAdd)], { trust_requirements: {} })).mission_id);
  expect(expired).toMatchObject({ status: 'aborted', outcome: 'cancelled' });
  expect(expired.ended_reason).toMatch(/^no decision by /);
  expect(other.log()).toHaveLength(1);
  await system.configure('policy.yaml', JSON.stringify(policy));
});

test('a signed package is taken, and one whose signature does not match is refused and written nowhere', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const admin = system.reader;
  const { key_id } = await admin.post<{ key_id: string }>('/mission-control/signing-keys', {
    principal_id: 'agent', public_key: publicKey.export({ type: 'spki', format: 'pem' }),
  });
  const agent = await system.as('agent', 'agent');
  const body = missionBody(repository, [repository.diff({ 'z.md': 'z\n' })]);
  const signature = sign(null, Buffer.from(canonical(body)), privateKey).toString('base64');
  const signed = await agent.post<{ crypto_signatures: object[] }>('/mission-control/missions', { ...body, crypto_signatures: [{ key_id, signature }] });
  expect(signed.crypto_signatures).toEqual([{ key_id, algorithm: 'ed25519', signature }]);

  const [{ count: before }] = await system.db.database.query<{ count: number }>('SELECT count(*) AS count FROM missions') as [{ count: number }];
  for (const [sent, why] of [
    [{ ...body, severity: 'critical', crypto_signatures: [{ key_id, signature }] }, 'it does not match the body'],
    [{ ...body, crypto_signatures: [{ key_id: 'sk_none', signature }] }, 'the key is not registered'],
    [{ ...body, crypto_signatures: [{ key_id, signature: 'AAAA' }] }, 'it does not match the body'],
  ] as const) {
    await expect(agent.post('/mission-control/missions', sent)).rejects.toThrow(why);
  }
  const [{ count: after }] = await system.db.database.query<{ count: number }>('SELECT count(*) AS count FROM missions') as [{ count: number }];
  expect(after).toBe(before);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' });
  await expect(admin.post('/mission-control/signing-keys', { principal_id: 'agent', public_key: rsa })).rejects.toMatchObject({ status: 422, code: 'KEY_UNUSABLE' });
});

test('child missions nest three deep and no deeper; an unknown dependency is named', async () => {
  let parent = await open({});
  for (let depth = 1; depth <= 3; depth += 1) parent = await open({ parent_mission_id: parent });
  await expect(open({ parent_mission_id: parent })).rejects.toMatchObject({ status: 422, code: 'TOO_DEEP' });
  await expect(open({ workspace: { repo_path: repository.path, dependencies: ['mission_20200101_001'], patch_candidates: [{ kind: 'diff', text: 'x' }] } }))
    .rejects.toMatchObject({ status: 422, code: 'DEPENDENCY_UNKNOWN' });
});
