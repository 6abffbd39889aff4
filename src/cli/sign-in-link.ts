/** A link that signs a browser in once: what the launcher prints at its start, and `missionctl open` when asked. */
import type { ApiClient } from './client.ts';

export interface SignInLink { code: string; url: string; expires_at: string }

/** The address is the one that we reached the api at: behind a proxy it knows itself by another. */
export async function signInLink(client: ApiClient): Promise<SignInLink> {
  const link = await client.post<SignInLink>('/mission-control/sign-in-codes', {});
  return { ...link, url: `${client.url}/sign-in#${link.code}` };
}
