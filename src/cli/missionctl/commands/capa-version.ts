import type { ApiClient } from '../../client.ts';
import type { CapaDetail } from '../../../domain/capa-view.ts';
import { apiPath } from '../answer.ts';

/** The version that a change names: the one its caller saw, or the one that the record is at. */
export const versionToName = async (client: ApiClient, record: string, seen: number | undefined): Promise<number> =>
  seen ?? (await client.get<CapaDetail>(apiPath('capa', record))).version;
