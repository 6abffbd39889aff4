/**
 * Asks the process that listens for its inspector on a local port to collect its garbage, and prints the heap before and after.
 * A process of its own because Node 20 has WebSocket only with an option at its start.
 *
 * usage: collect-garbage <port> <pid>; exit code 3 when the port is another process's
 */
const [port, pid] = process.argv.slice(2);
const targets = /** @type {{ id: string }[]} */ (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json());
// Only its id is taken from the answer, so that it cannot send us elsewhere.
const socket = new WebSocket(`ws://127.0.0.1:${port}/${encodeURIComponent(targets[0]?.id ?? '')}`);
await new Promise((resolve, reject) => {
  socket.addEventListener('open', resolve);
  socket.addEventListener('error', () => reject(new Error('the inspector does not answer')));
});
let last = 0;

/** @param {string} method @param {object} [params] @returns {Promise<any>} */
const call = (method, params = {}) => new Promise((resolve, reject) => {
  const id = last += 1;
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data));
    if (message.id !== id) return;
    if (message.error === undefined) resolve(message.result);
    else reject(new Error(`${method}: ${message.error.message}`));
  });
  socket.send(JSON.stringify({ id, method, params }));
});
/** @param {string} expression @returns {Promise<number>} */
const evaluate = async (expression) => (await call('Runtime.evaluate', { expression, returnByValue: true })).result.value;

if (await evaluate('process.pid') !== Number(pid)) process.exit(3);
const before = await evaluate('process.memoryUsage().heapUsed');
await call('HeapProfiler.collectGarbage');
const after = await evaluate('process.memoryUsage().heapUsed');
console.log(JSON.stringify({ heap_before_bytes: before, heap_after_bytes: after }));
process.exit(0);
