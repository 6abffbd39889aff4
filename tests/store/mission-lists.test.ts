import { afterAll, beforeAll, expect, test } from 'vitest';
import { applyRecord, countByStatus, listMissions, type MissionFilter } from '../../src/store/missions.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { aMission, aRepository, record } from './fixtures.ts';

let db: TestDatabase;
/** Ids in the order of creation: 12 missions, every second one critical, every third one labelled, the last one running. */
const ids: string[] = [];
beforeAll(async () => {
  db = await copyDatabase();
  const repository = await aRepository(db.database);
  for (let i = 0; i < 12; i += 1) {
    ids.push(await aMission(db.database, repository, {
      severity: i % 2 === 0 ? 'critical' : 'low', labels: i % 3 === 0 ? ['slow', `n${i}`] : [], subsystem_id: i < 6 ? 'mesh' : 'postgres', symptoms: [{ description: `errors/n${i}-rate<img>${i === 5 ? ' Müller' : ''}` }],
      assigned_to: i === 4 ? 'anna' : null, parent_mission_id: i === 9 ? ids[0]! : null, created_at: new Date(Date.UTC(2025, 0, 10, 12, i)).toISOString(),
    }));
  }
  await db.database.transaction((query) => applyRecord(query, record(ids.at(-1) ?? '', 1, { state: { status: 'in_progress' } }), ''));
});
afterAll(() => db.drop());

const firstDay = '2025-01-10T00:00:00Z';
const newestFirst = (wanted: (i: number) => boolean): string[] => ids.filter((_, i) => wanted(i)).reverse();
async function pages(filter: MissionFilter, size: number): Promise<string[][]> {
  const result: string[][] = [];
  for (let before: number | null = null; ;) {
    const page = await listMissions(db.database.query, filter, size, before);
    if (page.length === 0) return result;
    result.push(page.map((mission) => mission.mission_id));
    before = page.at(-1)!.created_seq;
  }
}
const all = async (filter: MissionFilter): Promise<string[]> => (await pages(filter, 100)).flat();

test('newest first, page by page, every mission once', async () => {
  const given = await pages({}, 5);
  expect(given.map((page) => page.length)).toEqual([5, 5, 2]);
  expect(given.flat()).toEqual(newestFirst(() => true));
});

test('a mission that arrives between two pages moves nothing', async () => {
  const first = await listMissions(db.database.query, {}, 5, null);
  const late = await aMission(db.database, await aRepository(db.database), { subsystem_id: 'late', created_at: '2025-01-09T00:00:00.000Z' });
  const rest = await listMissions(db.database.query, {}, 100, first.at(-1)!.created_seq);
  expect(rest.map((mission) => mission.mission_id)).toEqual(newestFirst((i) => i < 7));
  expect((await listMissions(db.database.query, {}, 1, null))[0]).toMatchObject({ mission_id: late });
});

test.each<[string, MissionFilter, (i: number) => boolean]>([
  ['status', { status: 'in_progress' }, (i) => i === 11],
  ['severity', { severity: 'critical' }, (i) => i % 2 === 0],
  ['subsystem', { subsystem_id: 'mesh' }, (i) => i < 6],
  ['label', { label: 'slow' }, (i) => i % 3 === 0],
  ['another label', { label: 'n3' }, (i) => i === 3],
  ['assignee', { assigned_to: 'anna' }, (i) => i === 4],
  ['time, from the first moment on', { created_after: '2025-01-10T12:09:00.000Z' }, (i) => i >= 9],
  ['time, before the last moment', { created_after: '2025-01-10T12:00:00Z', created_before: '2025-01-10T12:03:00.000Z' }, (i) => i < 3],
  ['several at once', { severity: 'critical', subsystem_id: 'mesh', label: 'slow' }, (i) => i === 0],
  ['a word of the title', { q: 'adding', created_after: firstDay }, () => true],
  ['the beginnings of two words, in any order', { q: 'wro ADD', created_after: firstDay }, () => true],
  ['a word of a symptom, whatever it stands between', { q: 'n7-rate' }, (i) => i === 7],
  ['letters beyond English', { q: 'MÜLL' }, (i) => i === 5],
  ['words and a status', { q: 'rate', status: 'in_progress' }, (i) => i === 11],
  ['a word that only one of two is there of', { q: 'adding nonsense' }, () => false],
  ['what looks like the grammar of a search', { q: "n7' | !'x:*" }, () => false],
  ['parent', { parent_mission_id: 'mission_20250110_001' }, (i) => i === 9],
  ['what nobody has', { label: "' OR true --" }, () => false],
])('filtered by %s', async (_, filter, wanted) => {
  expect(await all(filter)).toEqual(newestFirst(wanted));
});

test('all filters together page as one list does', async () => {
  const filter: MissionFilter = { status: 'open', mission_type: 'coding', severity: 'critical', created_after: '2025-01-10T00:00:00Z' };
  expect((await pages(filter, 2)).flat()).toEqual(newestFirst((i) => i % 2 === 0 && i !== 11));
});

test('counts by status add up', async () => {
  const counts = await countByStatus(db.database.query);
  const [{ total } = { total: 0 }] = await db.database.query<{ total: number }>('SELECT count(*) AS total FROM missions');
  expect(counts).toEqual({ open: total - 1, in_progress: 1 });
});
