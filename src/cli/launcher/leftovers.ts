/** Children of a launcher that died: found by pid and start time, stopped before anything new starts. */
import { readFile, rm, writeFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, signal, type ProcessIdentity } from '../../processes.mjs';

type Children = Record<string, ProcessIdentity>;

const fileIn = (home: string): string => join(home, 'children.json');

/** Replaced by rename: whoever reads it reads one whole version. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.new`;
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, path);
}

export const rememberChildren = (home: string, children: Children): Promise<void> =>
  replaceFile(fileIn(home), JSON.stringify(children));

export const forgetChildren = (home: string): Promise<void> => rm(fileIn(home), { force: true });

/** PostgreSQL is asked to shut down fast, everything else is killed: dying at any moment is what it is made for. */
export async function stopLeftovers(home: string, say: (line: string) => void): Promise<void> {
  const children = await readFile(fileIn(home), 'utf8').then((text) => JSON.parse(text) as Children, () => ({}));
  const alive = Object.entries(children).filter(([, identity]) => isAlive(identity));
  if (alive.length > 0) say(`stopping what an earlier start left running: ${alive.map(([name, { pid }]) => `${name} (pid ${pid})`).join(', ')}`);
  for (const [name, identity] of alive) signal(identity, name === 'postgres' ? 'SIGINT' : 'SIGKILL');
  const deadline = Date.now() + 10_000;
  for (const [, identity] of alive) {
    while (isAlive(identity)) {
      if (Date.now() > deadline) signal(identity, 'SIGKILL');
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
  }
  await forgetChildren(home);
}
