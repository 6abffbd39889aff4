/**
 * A process that has a SQLite file open, as an application has.
 * usage: sqlite-owner <path> write|commit|read|open|idle [release|stubborn]
 * `idle` has it open and reads nothing of it. `release`: lets go on SIGUSR2. `stubborn`: ignores SIGTERM. Prints a line once it holds what it should.
 */
import { DatabaseSync } from '@photostructure/sqlite';

const [path = '', holds, manner] = process.argv.slice(2);
// One that commits waits for readers, which is what it is started for.
const db = new DatabaseSync(path, { timeout: holds === 'commit' ? 600_000 : 0 });
if (holds === 'write') db.exec('BEGIN IMMEDIATE');
if (holds === 'read') db.exec('BEGIN');
if (holds === 'read' || holds === 'open') db.prepare('SELECT count(*) FROM orders').get();
if (manner === 'release') process.on('SIGUSR2', () => { if (db.isTransaction) db.exec('ROLLBACK'); });
if (manner === 'stubborn') process.on('SIGTERM', () => undefined);
setInterval(() => undefined, 60_000);
if (holds === 'commit') db.exec('BEGIN IMMEDIATE; DELETE FROM orders WHERE id = 1');
console.log('holds');
if (holds === 'commit') db.exec('COMMIT');
