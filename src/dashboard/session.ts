/** Who is signed in on this page, and what they may do. */
import { signal } from '@preact/signals';
import type { Permission, Principal } from '../domain/actor.ts';
import { ApiProblem, call, get, post, whenSignedOut } from './api.ts';

export interface Session {
  principal: Principal & { name: string };
  permissions: Permission[];
  expires_at: string | null;
}

/** `asking`: not known yet. `unreachable`: nothing answers, so nobody can say. Null: nobody. */
export const session = signal<Session | null | 'asking' | 'unreachable'>('asking');

whenSignedOut(() => { session.value = null; });

const askAgainMs = 2_000;

export async function whoAmI(): Promise<void> {
  try {
    session.value = await get<Session>('/session');
  } catch (error) {
    // A server that does not answer says nothing about who is signed in: whoever was, stays, and so does their page.
    if (error instanceof ApiProblem && error.status !== 401 && signedIn() === null) {
      session.value = 'unreachable';
      setTimeout(() => { if (session.peek() === 'unreachable') void whoAmI(); }, askAgainMs);
    }
  }
}

/** @throws ApiProblem when the code or key is not good */
export async function signIn(proof: { code: string } | { api_key: string }): Promise<void> {
  session.value = await post<Session>('/sign-in', proof);
}

export async function signOut(): Promise<void> {
  await call('DELETE', '/session');
  session.value = null;
}

export const signedIn = (): Session | null => (session.value === null || typeof session.value === 'string' ? null : session.value);

/** Whether a control that needs this permission is shown. The API decides again, whatever we show. */
export const may = (permission: Permission): boolean => signedIn()?.permissions.includes(permission) ?? false;
