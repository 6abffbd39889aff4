import { expect, test } from 'vitest';
import { actorOf, holds, permissions, roles, systemActor, type Permission, type Role } from '../../src/domain/actor.ts';

const table = `
                     viewer operator approver admin agent
  status:read        y      y        y        y     y
  mission:read       y      y        y        y     y
  mission:create     .      y        .        y     y
  mission:execute    .      y        .        y     y
  mission:steer      .      y        .        y     .
  mission:report     .      y        .        y     y
  mission:observe    .      y        y        y     .
  approval:read      y      y        y        y     .
  approval:decide    .      .        y        y     .
  repository:read    y      y        y        y     y
  repository:write   .      y        .        y     .
  workspace:read     .      y        .        y     .
  metric:read        y      y        y        y     y
  metric:write       .      y        .        y     .
  metric:push        .      y        .        y     .
  template:write     .      y        .        y     .
  artifact:write     .      y        .        y     y
  queue:read         y      y        y        y     y
  queue:work         .      y        .        y     y
  policy:read        y      y        y        y     y
  trust:read         y      y        y        y     y
  healing:read       y      y        y        y     y
  healing:plan       .      y        y        y     y
  healing:start      .      y        .        y     .
  healing:release    .      .        y        y     .
  capa:read          y      y        y        y     y
  capa:create        .      y        .        y     y
  notification:read  y      y        y        y     .
  notification:test  .      y        .        y     .
  capa:edit          .      y        y        y     y
  capa:decide        .      .        y        y     .
  finding:read       y      y        y        y     y
  finding:silence    .      y        .        y     .
  queue:steer        .      y        .        y     .
  signal:write       .      y        .        y     y
  ledger:read        y      y        y        y     y
  ledger:redact      .      .        .        y     .
  session:own        y      y        y        y     y
  key:manage         .      .        .        y     .`;
const [header = [], ...rows] = table.trim().split('\n').map((line) => line.trim().split(/\s+/));
const all = Object.keys(permissions) as Permission[];
const heldBy = (role: Role): Permission[] => all.filter((permission) => holds(role, permission));

test('the table below names every role and every permission', () => {
  expect(header).toEqual([...roles]);
  expect(rows).toHaveLength(all.length);
  expect(new Set(rows.map(([permission]) => permission))).toEqual(new Set<string>(all));
});

test.each(rows.flatMap(([permission, ...marks]) => marks.map((mark, i) => [header[i] as Role, permission as Permission, mark] as const)))(
  '%s, %s: %s', (role, permission, mark) => expect(holds(role, permission)).toBe(mark === 'y'));

test('an agent decides on no approval, steers no mission, measures nothing and makes no keys', () => {
  expect(heldBy('agent').filter((permission) => /decide|steer|observe|metric:(push|write)|repository:write|manage/.test(permission))).toEqual([]);
});

test('a viewer changes nothing but its own session', () => {
  expect(heldBy('viewer').every((permission) => permission === 'session:own' || permission.endsWith(':read'))).toBe(true);
});

test('an admin may do everything, and is the only one who makes keys', () => {
  expect(heldBy('admin')).toEqual(all);
  expect(roles.filter((role) => holds(role, 'key:manage'))).toEqual(['admin']);
});

test('an event names the key that was shown, and our own processes show none', () => {
  expect(actorOf({ id: 'anna', kind: 'person', role: 'approver', key_id: 'k1' })).toEqual({ id: 'anna', kind: 'person', role: 'approver', key_id: 'k1' });
  expect(systemActor('worker')).toEqual({ id: 'worker', kind: 'service', role: 'system', key_id: null });
});
