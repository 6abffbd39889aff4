/** Who acts, and what each role may do. One table feeds the routes, OpenAPI and the generated test. */
export const roles = ['viewer', 'operator', 'approver', 'admin', 'agent'] as const;
export type Role = (typeof roles)[number];

export const principalKinds = ['person', 'agent', 'service'] as const;
export type PrincipalKind = (typeof principalKinds)[number];

/** A signed-in caller. `id` is stable over key rotation; `key_id` names the key that was shown. */
export interface Principal {
  id: string;
  kind: PrincipalKind;
  role: Role;
  key_id: string;
}

/** The actor of an event: a principal, or one of our own processes. */
export interface Actor {
  id: string;
  kind: PrincipalKind;
  role: Role | 'system';
  key_id: string | null;
}

export const systemActor = (id: string): Actor => ({ id, kind: 'service', role: 'system', key_id: null });

export const actorOf = (principal: Principal): Actor => ({ ...principal });

/** Permission → roles that hold it. */
export const permissions = {
  'status:read': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'mission:read': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'mission:create': ['operator', 'admin', 'agent'],
  'mission:execute': ['operator', 'admin', 'agent'],
  'mission:steer': ['operator', 'admin'],
  'mission:report': ['operator', 'admin', 'agent'],
  'mission:observe': ['operator', 'approver', 'admin'],
  'template:write': ['operator', 'admin'],
  'artifact:write': ['operator', 'admin', 'agent'],
  'queue:read': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'queue:steer': ['operator', 'admin'],
  'queue:work': ['operator', 'admin', 'agent'],
  'policy:read': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'trust:read': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'approval:read': ['viewer', 'operator', 'approver', 'admin'],
  'approval:decide': ['approver', 'admin'],
  'repository:read': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'repository:write': ['operator', 'admin'],
  'workspace:read': ['operator', 'admin'],
  'metric:read': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'metric:write': ['operator', 'admin'],
  'metric:push': ['operator', 'admin'],
  'healing:read': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'healing:plan': ['operator', 'approver', 'admin', 'agent'],
  'healing:start': ['operator', 'admin'],
  'healing:release': ['approver', 'admin'],
  'capa:read': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'capa:create': ['operator', 'admin', 'agent'],
  'notification:read': ['viewer', 'operator', 'approver', 'admin'],
  'notification:test': ['operator', 'admin'],
  'capa:edit': ['operator', 'approver', 'admin', 'agent'],
  'capa:decide': ['approver', 'admin'],
  'finding:read': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'finding:silence': ['operator', 'admin'],
  'ledger:read': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'ledger:redact': ['admin'],
  'signal:write': ['operator', 'admin', 'agent'],
  'session:own': ['viewer', 'operator', 'approver', 'admin', 'agent'],
  'key:manage': ['admin'],
} as const satisfies Record<string, readonly Role[]>;
export type Permission = keyof typeof permissions;

export const holds = (role: Role, permission: Permission): boolean =>
  (permissions[permission] as readonly Role[]).includes(role);

/** What a caller may do, for pages that show nobody a button that would be refused. */
export const permissionsOf = ({ role }: Principal): Permission[] =>
  (Object.keys(permissions) as Permission[]).filter((permission) => holds(role, permission));
