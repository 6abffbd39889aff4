/**
 * Run inside of a sandbox at start-up: does it keep what it promises? Prints what is wrong as a JSON array.
 * usage: look-around.mjs <what must not be seen> <a port that listens outside> <`shut in` or `limited`>
 */
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

const [, , secret = '', port = '', promise] = process.argv;
/** @type {string[]} */
const wrong = [];

/**
 * @param {number} at
 * @returns {Promise<boolean>}
 */
function reaches(at) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: at, timeout: 2_000 });
    const end = (/** @type {boolean} */ yes) => { socket.destroy(); resolve(yes); };
    socket.on('connect', () => end(true)).on('error', () => end(false)).on('timeout', () => end(false));
  });
}

try { writeFileSync('written', 'x'); } catch (error) { wrong.push(`its own folder is not writable: ${String(error)}`); }
if (!/Max core file size\s+0\s/.test(readFileSync('/proc/self/limits', 'utf8'))) wrong.push('limits are not set');
if (promise === 'shut in') {
  if (existsSync(secret)) wrong.push(`${secret} is seen`);
  try {
    writeFileSync('/usr/mission-control-probe', '');
    wrong.push('/usr is writable');
  } catch { /* as it should be */ }
  try {
    closeSync(openSync('/proc/sys/kernel/core_pattern', 'r+'));
    wrong.push('/proc/sys is writable');
  } catch { /* as it should be */ }
  if (await reaches(Number(port))) wrong.push('the host\'s network is reached');
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => { server.on('listening', resolve).on('error', resolve); });
  const address = server.address();
  if (address === null || typeof address === 'string' || !(await reaches(address.port))) wrong.push('it has no loopback interface');
  server.close();
  if (process.ppid > 100) wrong.push('it sees the host\'s processes');
}
console.log(JSON.stringify(wrong));
