/** The root logger: events with fields, JSON when nobody looks, readable lines on a terminal. */
import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

// Redaction is the second fence: nothing hands a secret to the logger in the first place.
const secretFields = ['authorization', 'secret', 'api_key', 'password', 'key', 'token']
  .flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** Bytes of lines that wait for a disk with space; what comes after them is lost. */
const waitingBytes = 1 << 20;

export function createLogger(process_name: string): Logger {
  const options = {
    level: process.env['MISSION_CONTROL_LOG_LEVEL'] ?? 'info',
    base: { process: process_name },
    redact: { paths: [...secretFields, 'req.headers.cookie'], censor: '[redacted]' },
  };
  if (process.stdout.isTTY) return pino({ ...options, transport: { target: 'pino-pretty' } });
  const output = pino.destination({ dest: 1, sync: true, maxLength: waitingBytes });
  // A disk without space costs lines and not the process. They are written with the next line once there is some.
  output.on('error', () => undefined);
  return pino(options, output);
}
