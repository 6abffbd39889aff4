import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codingStages, latestAttempts, pendingStage, stageProgress, type StageRecord } from '../../src/domain/stages.ts';

const recordArb = fc.record({ name: fc.constantFrom(...codingStages), attempt: fc.integer({ min: 1, max: 4 }) })
  .map(({ name, attempt }): StageRecord => ({ ...pendingStage(name), status: 'passed', attempt, reason: `${name} ${attempt}` }));
const recordsArb = fc.uniqueArray(recordArb, { selector: (record) => record.reason, maxLength: 30 });

test('a mission that has not begun shows eleven pending stages', () => {
  expect(latestAttempts(codingStages, [])).toEqual(codingStages.map(pendingStage));
  expect(codingStages).toHaveLength(11);
});

test('eleven entries in pipeline order, each the latest attempt, in whatever order the records come', () => {
  fc.assert(fc.property(recordsArb, (records) => {
    const shown = latestAttempts(codingStages, records);
    expect(shown.map((stage) => stage.name)).toEqual([...codingStages]);
    for (const stage of shown) {
      const attempts = records.filter((record) => record.name === stage.name);
      expect(stage.attempt).toBe(Math.max(0, ...attempts.map((record) => record.attempt)));
      if (attempts.length > 0) expect(attempts).toContain(stage);
    }
  }));
});

test('progress grows from stage to stage and is never 100 before the end', () => {
  const progress = codingStages.map((name) => stageProgress(codingStages, name));
  expect(progress[0]).toBe(0);
  expect(progress).toEqual([...new Set(progress)].sort((a, b) => a - b));
  expect(Math.max(...progress)).toBeLessThan(100);
});
