/**
 * What it costs a worker to start a process, by itself and through the fork server: until it knows the process's id, and for
 * how long it can do nothing else meanwhile. It holds as much memory as an idle worker does. Rounds go back and forth.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startProcess } from '../dist/fork-server/start.js';
import { quantile } from './system.mjs';

const rounds = process.argv.includes('--quick') ? 50 : 400;
const held = Array.from({ length: 400 }, () => Buffer.alloc(1 << 20, 1));
const options = { cwd: '/', env: { PATH: process.env.PATH } };
const ways = {
  'by itself': async (started) => {
    const child = spawn('true', [], { ...options, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    started();
    return (await once(child, 'close'))[0];
  },
  'through the fork server': async (started) => {
    const { ended, descriptors } = await startProcess(['true'], { ...options, descriptors: 3 });
    started();
    for (const socket of descriptors) socket.destroy();
    return (await ended).code;
  },
};
const [alone, through] = Object.keys(ways);

let passed = 0;
let failed = 0;
/** @returns milliseconds until it was started, and the longest in which the event loop did not come round */
async function measured(way) {
  const began = performance.now();
  let last = began;
  let still = 0;
  let started = 0;
  let done = false;
  const look = () => {
    const now = performance.now();
    still = Math.max(still, now - last);
    last = now;
    if (!done) setImmediate(look);
  };
  setImmediate(look);
  const code = await ways[way](() => { started = performance.now() - began; });
  done = true;
  if (code === 0) passed += 1;
  else failed += 1;
  return { started, still };
}

const times = { [alone]: [], [through]: [] };
for (const way of [alone, through]) await measured(way);
for (let round = 0; round < rounds; round += 1) {
  for (const way of round % 2 === 0 ? [alone, through] : [through, alone]) times[way].push(await measured(way));
}

const of = (way, what, q) => quantile(times[way].map((time) => time[what]), q);
const ms = (value) => `${value.toFixed(1)} ms`;
console.log(`\n\`true\`, ${rounds} rounds, from a process of ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB, ${held.length} of them held`);
console.log('\n| started | until it runs, p50 | p95 | nothing else is done for, p50 | p95 |\n|---|---|---|---|---|');
for (const way of [alone, through]) {
  console.log(`| ${way} | ${ms(of(way, 'started', 0.5))} | ${ms(of(way, 'started', 0.95))} | ${ms(of(way, 'still', 0.5))} | ${ms(of(way, 'still', 0.95))} |`);
}
console.log(`\n${(of(alone, 'started', 0.5) / of(through, 'started', 0.5)).toFixed(1)} × quicker; stands still for ${(of(through, 'still', 0.5) / of(alone, 'still', 0.5)).toFixed(2)} × the time`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
