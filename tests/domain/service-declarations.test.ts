import { expect, test } from 'vitest';
import { subsystemsSchema } from '../../src/domain/schema/subsystem.ts';

const instance = (id: string, more = {}) => ({ id, pid_file: `/run/${id}.pid`, argv: ['node'], cwd: '/srv', ...more });
const problems = (manager: unknown): string[] => {
  const parsed = subsystemsSchema.safeParse({ subsystems: { shop: { name: 'shop', resources: { web: { kind: 'service', manager } } } } });
  return parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.slice(4).join('.')}: ${issue.message}`);
};

test.each<[string, unknown, string[]]>([
  ['instances of their own', { kind: 'process', instances: [instance('a'), instance('b', { inspector_port: 9_229 })] }, []],
  ['two of one name', { kind: 'process', instances: [instance('a'), instance('a', { pid_file: '/run/b.pid' })] }, ['manager.instances.1.id: a is there twice']],
  ['two with one pid file', { kind: 'process', instances: [instance('a'), instance('b', { pid_file: '/run/a.pid' })] }, ['manager.instances.1.pid_file: /run/a.pid is there twice']],
  ['a port that is none', { kind: 'process', instances: [instance('a', { inspector_port: 70_000 })] }, [expect.stringContaining('manager.instances.0.inspector_port') as string]],
  ['a unit that is an option', { kind: 'systemd', unit: '--help' }, [expect.stringContaining('manager.unit') as string]],
  ['a unit with a shell in it', { kind: 'systemd', unit: 'a; rm' }, [expect.stringContaining('manager.unit') as string]],
])('%s', (_, manager, expected) => {
  expect(problems(manager)).toEqual(expected);
});
