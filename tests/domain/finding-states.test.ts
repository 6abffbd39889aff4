import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  findingConditions, identityOf, mayHeal, shownState, stepFinding, type Evaluation, type FindingProgress, type FindingRule,
} from '../../src/domain/finding.ts';

const rule: FindingRule = { for_seconds: 2, keep_firing_for_seconds: 3, severity: 'high' };
const at = (seconds: number, outcome: Evaluation['outcome']): Evaluation => ({ outcome, value: outcome === 'no_data' ? null : seconds, at: seconds * 1_000, reason: `${outcome} at ${seconds}` });

/** Evaluations one second apart, as letters: b bad, g good, n no data. */
function run(letters: string, with_: Pick<FindingRule, 'for_seconds' | 'keep_firing_for_seconds'> = rule) {
  let finding: FindingProgress | undefined;
  const changes: string[] = [];
  letters.split('').forEach((letter, i) => {
    const step = stepFinding(finding, at(i, letter === 'b' ? 'bad' : letter === 'g' ? 'good' : 'no_data'), with_);
    finding = step.finding;
    changes.push(...step.changes);
  });
  return { finding, changes };
}

test.each<[string, string | undefined, string[]]>([
  ['', undefined, []],
  ['ggg', undefined, []],
  ['nnnn', undefined, []],
  ['b', 'PENDING', ['opened']],
  ['bb', 'PENDING', ['opened']],
  ['bbb', 'FIRING', ['opened', 'fired']],
  ['bg', 'RESOLVED', ['opened', 'resolved']],
  ['bbbg', 'RECOVERING', ['opened', 'fired', 'recovering']],
  ['bbbggg', 'RECOVERING', ['opened', 'fired', 'recovering']],
  ['bbbgggg', 'RESOLVED', ['opened', 'fired', 'recovering', 'resolved']],
  ['bbbgb', 'FIRING', ['opened', 'fired', 'recovering', 'fired_again']],
  ['bbbgnnnnnn', 'RECOVERING', ['opened', 'fired', 'recovering']],
  ['bnnn', 'PENDING', ['opened']],
  ['bbbnnn', 'FIRING', ['opened', 'fired']],
  ['bbbgbgggg', 'RESOLVED', ['opened', 'fired', 'recovering', 'fired_again', 'recovering', 'resolved']],
])('%s: %s', (letters, condition, changes) => {
  const { finding, changes: seen } = run(letters);
  expect(finding?.condition).toBe(condition);
  expect(seen).toEqual(changes);
});

test('without waiting, one bad evaluation fires and one good one resolves', () => {
  const instant = { for_seconds: 0, keep_firing_for_seconds: 0 };
  expect(run('b', instant)).toMatchObject({ finding: { condition: 'FIRING', fired_at: 0 }, changes: ['opened', 'fired'] });
  expect(run('bg', instant)).toMatchObject({ finding: { condition: 'RESOLVED', resolved_at: 1_000 }, changes: ['opened', 'fired', 'resolved'] });
});

test('bad evaluations are occurrences; the first time it fired stays', () => {
  expect(run('bbbbgbb').finding).toMatchObject({ occurrences: 6, fired_at: 2_000, first_seen_at: 0, last_seen_at: 6_000 });
});

test('what could not be measured is counted until it can be', () => {
  expect(run('bnn').finding?.no_data).toBe(2);
  expect(run('bnnb').finding?.no_data).toBe(0);
});

const letters = fc.array(fc.constantFrom('b', 'g', 'n'), { maxLength: 60 }).map((list) => list.join(''));
const waits = fc.record({ for_seconds: fc.integer({ min: 0, max: 10 }), keep_firing_for_seconds: fc.integer({ min: 0, max: 10 }) });

describe('whatever is measured', () => {
  test('no data opens nothing and resolves nothing', () => fc.assert(fc.property(letters, waits, (text, with_) => {
    const before = run(text, with_).finding;
    const step = stepFinding(before, at(1_000, 'no_data'), with_);
    expect(step.changes).toEqual([]);
    expect(step.finding?.condition).toBe(before?.condition);
  })));

  test('an evaluation that is not newer changes nothing', () => fc.assert(fc.property(letters, waits, fc.constantFrom('bad' as const, 'good' as const), (text, with_, outcome) => {
    const { finding } = run(text, with_);
    const lastAt = (text.length - 1) * 1_000;
    expect(stepFinding(finding, { ...at(0, outcome), at: lastAt }, with_, lastAt)).toEqual({ finding, changes: [] });
  })));

  test('nothing fires before it was bad for as long as the rule says', () => fc.assert(fc.property(letters, waits, (text, with_) => {
    const { finding } = run(text, with_);
    if (finding === undefined || finding.fired_at === null) return;
    expect(finding.fired_at - finding.first_seen_at).toBeGreaterThanOrEqual(with_.for_seconds * 1_000);
  })));

  test('it ends in a condition there is, and a longer history of good ends it', () => fc.assert(fc.property(letters, waits, (text, with_) => {
    const { finding } = run(text, with_);
    if (finding !== undefined) expect(findingConditions).toContain(finding.condition);
    const after = Array.from({ length: 30 }, (_, i) => i).reduce<FindingProgress | undefined>((now, i) =>
      (now?.condition === 'RESOLVED' ? now : stepFinding(now, at(text.length + i, 'good'), with_).finding), finding);
    expect(after === undefined || after.condition === 'RESOLVED').toBe(true);
  })));
});

describe('the state that is shown', () => {
  const none = { inhibited_by: null, silence_id: null, flapping: false };
  test.each([
    [{ condition: 'FIRING' as const, no_data: 0 }, none, 'FIRING'],
    [{ condition: 'PENDING' as const, no_data: 0 }, none, 'PENDING'],
    [{ condition: 'FIRING' as const, no_data: 1 }, none, 'NO_DATA'],
    [{ condition: 'FIRING' as const, no_data: 1 }, { ...none, flapping: true }, 'FLAPPING'],
    [{ condition: 'FIRING' as const, no_data: 0 }, { ...none, flapping: true, silence_id: 's' }, 'SILENCED'],
    [{ condition: 'FIRING' as const, no_data: 0 }, { inhibited_by: 'p', flapping: true, silence_id: 's' }, 'INHIBITED'],
    [{ condition: 'RESOLVED' as const, no_data: 2 }, { inhibited_by: 'p', flapping: true, silence_id: 's' }, 'RESOLVED'],
  ])('%j %j: %s', (progress, suppression, state) => expect(shownState(progress, suppression)).toBe(state));

  test('only what fires, undisturbed and measured, may be healed', () => {
    expect((['PENDING', 'FIRING', 'RECOVERING', 'RESOLVED', 'NO_DATA', 'FLAPPING', 'SILENCED', 'INHIBITED'] as const).filter(mayHeal)).toEqual(['FIRING']);
  });
});

describe('identity', () => {
  const attributes = fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.string({ maxLength: 8 }));
  test('the order of attributes is no part of it', () => fc.assert(fc.property(attributes, (given) => {
    const reversed = Object.fromEntries(Object.entries(given).reverse());
    expect(JSON.stringify(identityOf('r', reversed))).toBe(JSON.stringify(identityOf('r', given)));
  })));

  test('times, pids, counts and values are no part of it, in whatever case; nor is what the rule excludes', () => {
    const volatile = { pid: '7', PID: '8', startsAt: 'x', timestamp: '1', value: '3', count: '2', Pod: 'a-1' };
    expect(identityOf('r', { shop: 'a', ...volatile }, ['pod'])).toEqual({ rule_id: 'r', attributes: { shop: 'a' } });
  });

  test('any other attribute is', () => {
    expect(identityOf('r', { shop: 'a' })).not.toEqual(identityOf('r', { shop: 'b' }));
    expect(identityOf('r', { shop: 'a' })).not.toEqual(identityOf('q', { shop: 'a' }));
  });
});
