/**
 * A process of its own that tells how a SQLite file is, in one line of JSON. Of its own, because closing a file that the
 * same process has open elsewhere would drop the locks on it.
 * Plain JavaScript: it runs as it stands, from source and from the build alike.
 */
import { existsSync } from 'node:fs';
import { DatabaseSync } from '@photostructure/sqlite';

const [path = '', timeout = '1000'] = process.argv.slice(2);

/** @param {unknown} error */
function classify(error) {
  const message = error instanceof Error ? error.message : String(error);
  const code = (/** @type {{ errcode?: number }} */ (error).errcode ?? 0) & 0xff;
  if (code === 5 || code === 6 || /SQLITE_BUSY|SQLITE_LOCKED|is locked/i.test(message)) return { kind: 'locked', reason: message };
  if (code === 11 || code === 26 || /malformed|not a database|SQLITE_CORRUPT|SQLITE_NOTADB/i.test(message)) return { kind: 'corrupt', reason: message };
  return { kind: 'failed', reason: message };
}

function check() {
  // Opening would make it.
  if (!existsSync(path)) return { kind: 'failed', reason: `${path} is not there` };
  const started = performance.now();
  let beside, database;
  try {
    // Whoever closes last checkpoints the WAL. This one, which cannot write, is closed after the other, so nobody does.
    beside = new DatabaseSync(path, { readOnly: true, timeout: Number(timeout) });
    try { beside.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get(); } catch { /* the write below tells why */ }
    database = new DatabaseSync(path, { timeout: Number(timeout) });
    database.exec('BEGIN IMMEDIATE; ROLLBACK');
    const rows = database.prepare('PRAGMA quick_check(5)').all().map((row) => String(Object.values(/** @type {object} */ (row))[0]));
    if (rows.join() !== 'ok') return { kind: 'corrupt', reason: rows.join('; ') };
    return { kind: 'well', write_ms: Math.round(performance.now() - started) };
  } catch (error) {
    return classify(error);
  } finally {
    for (const one of [database, beside]) {
      try { one?.close(); } catch { /* nothing is kept open by a process that ends */ }
    }
  }
}

console.log(JSON.stringify(check()));
