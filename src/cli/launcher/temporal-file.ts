/** Temporal's file, damaged: set aside, so that everything else can start. What it held is lost, and its missions say so. */
import { closeSync, existsSync, openSync, readSync, renameSync, statSync } from 'node:fs';

/**
 * What the server says when it cannot start for the file's sake. A full disk or a lock is not among it: those pass. What a
 * server says that runs is no reason either: then the file may be whole.
 */
const complaint = /failed starting server:.*?(no such table|malformed|file is not a database)/;
const readBytes = 64 * 1024;

/**
 * @param file the server's database
 * @param log where the server writes what it says
 * @returns to be called before each start: looks at what the start before it said
 */
export function setAsideWhenDamaged(file: string, log: string, say: (line: string) => void): () => void {
  const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  let saidBefore: number | undefined;
  return () => {
    const damage = saidBefore === undefined ? null : complaint.exec(textFrom(log, Math.max(saidBefore, sizeOf(log) - readBytes)));
    saidBefore = sizeOf(log);
    if (damage === null) return;
    const aside = `${file}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, '')}`;
    for (const end of ['', '-wal', '-shm']) if (existsSync(`${file}${end}`)) renameSync(`${file}${end}`, `${aside}${end}`);
    say(`Temporal cannot use its file (${damage[1]}): it is set aside as ${aside}, and missions that ran end with ENGINE_STATE_LOST`);
  };
}

function textFrom(path: string, start: number): string {
  if (!existsSync(path)) return '';
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(readBytes);
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, readBytes, start));
  } finally {
    closeSync(fd);
  }
}
