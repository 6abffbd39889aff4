/** Every playbook there is. A new one is a file beside this and a line here. */
import type { Playbook } from './playbook.ts';

const all: readonly Playbook[] = [];

export const playbooks: ReadonlyMap<string, Playbook> = new Map(all.map((playbook) => [playbook.id, playbook]));
