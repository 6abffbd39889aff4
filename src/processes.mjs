/**
 * Processes by pid and start time: a pid alone may be somebody else's by now.
 * Plain JavaScript: the start script needs it before anything is built.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

/** @typedef {{ pid: number, started: string }} ProcessIdentity */

/**
 * What Linux says of a process behind its name, which may hold spaces and parentheses: state, parent, group, …
 * @param {number} pid
 * @returns {string[]}
 */
function statOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/**
 * What tells this process from a later one with the same pid, or undefined when there is none.
 * @param {number} pid
 * @returns {string | undefined}
 */
export function startedAt(pid) {
  try {
    const fields = statOf(pid);
    // The 22nd of all.
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    if (process.platform === 'linux') return undefined;
  }
  try {
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return text.trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {number} pid
 * @returns {ProcessIdentity}
 */
export const identityOf = (pid) => ({ pid, started: startedAt(pid) ?? '' });

/**
 * @param {ProcessIdentity} identity
 * @returns {boolean}
 */
export const isAlive = ({ pid, started }) => started !== '' && startedAt(pid) === started;

/**
 * The process group of a process (Linux); undefined when there is no such process.
 * @param {number} pid
 * @returns {number | undefined}
 */
export function groupOf(pid) {
  try { return Number(statOf(pid)[2]); } catch { return undefined; }
}

/**
 * Sends a signal to the process, and to the group it leads.
 * @param {ProcessIdentity} identity
 * @param {NodeJS.Signals} name
 */
export function signal({ pid }, name) {
  try { process.kill(-pid, name); } catch { /* leads no group */ }
  try { process.kill(pid, name); } catch { /* gone */ }
}

/**
 * Processes that were started with `NAME=value` in their environment (Linux; elsewhere nobody tells). Not this one.
 * @param {string} entry
 * @returns {Promise<number[]>}
 */
export async function startedWith(entry) {
  const names = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(names.map(async (pid) => {
    const environ = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    return environ.split('\0').includes(entry) ? [Number(pid)] : [];
  }));
  return found.flat().filter((pid) => pid !== process.pid);
}

/**
 * Who listens on a local TCP port, as far as the operating system tells us (Linux).
 * @param {number} port
 * @returns {string | undefined}
 */
export function portHolder(port) {
  try {
    const wanted = port.toString(16).toUpperCase().padStart(4, '0');
    const inodes = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[1]?.endsWith(`:${wanted}`) && fields[3] === '0A').map((fields) => `socket:[${fields[9]}]`);
    const pid = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
      .find((name) => openFiles(name).some((target) => inodes.includes(target)));
    return pid === undefined ? undefined : `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (pid ${pid})`;
  } catch {
    return undefined; // not Linux, or not ours to see
  }
}

/**
 * @param {string} pid
 * @returns {string[]}
 */
function openFiles(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try { return [readlinkSync(`/proc/${pid}/fd/${fd}`)]; } catch { return []; }
    });
  } catch {
    return [];
  }
}
