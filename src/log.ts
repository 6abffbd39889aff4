/** The root logger: events with fields, JSON when nobody looks, readable lines on a terminal. */
import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

// Redaction is the second fence: nothing hands a secret to the logger in the first place.
const secretFields = ['authorization', 'secret', 'api_key', 'password', 'key', 'token']
  .flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

export function createLogger(process_name: string): Logger {
  return pino({
    level: process.env['MISSION_CONTROL_LOG_LEVEL'] ?? 'info',
    base: { process: process_name },
    redact: { paths: [...secretFields, 'req.headers.cookie'], censor: '[redacted]' },
    ...(process.stdout.isTTY ? { transport: { target: 'pino-pretty' } } : {}),
  });
}
