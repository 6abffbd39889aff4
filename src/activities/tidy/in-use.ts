/** What running commands were told of: no file is removed whose path stands in the environment of a living process. */
import { readdir, readFile } from 'node:fs/promises';

export interface InUse { mentions(path: string): boolean }

/** Linux; elsewhere age alone decides. */
export async function environmentsOfAll(): Promise<InUse> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')));
  const all = texts.filter((text) => text.includes('MISSION_CONTROL_')).join('\0');
  return { mentions: (path) => all.includes(Buffer.from(path).toString('latin1')) };
}
