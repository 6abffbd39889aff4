/** Whom a playbook may interrupt in a database: clients that the declaration lists by name, and nobody else. */
import type { PostgresResource } from '../../../domain/subsystem.ts';
import { healingName } from './connection.ts';

export interface Holder {
  pid: number;
  /** Null when our role may not see it. */
  backend_start: string | null;
  backend_type: string | null;
  application_name: string | null;
}

export type Refusal = { code: 'LOCK_HOLDER_UNKNOWN' | 'HOLDER_NOT_ALLOWED'; reason: string };

/** @returns null when it may be interrupted */
export function refusalFor({ allow_terminate }: PostgresResource, { pid, backend_start, backend_type, application_name }: Holder): Refusal | null {
  const unknown = (reason: string): Refusal => ({ code: 'LOCK_HOLDER_UNKNOWN', reason });
  const no = (why: string): Refusal => ({ code: 'HOLDER_NOT_ALLOWED', reason: `backend ${pid} ${why}` });
  if (pid === 0) return unknown('the lock is held by a prepared transaction, which no session can let go of');
  if (backend_start === null || backend_type === null || application_name === null) {
    return unknown(`our role may not see which backend ${pid} is: it needs pg_read_all_stats`);
  }
  if (backend_type !== 'client backend') return no(`is a ${backend_type}, not a client`);
  if (application_name === healingName) return no('is our own');
  return allow_terminate.includes(application_name) ? null : no(`calls itself ${JSON.stringify(application_name)}, which allow_terminate does not list`);
}
