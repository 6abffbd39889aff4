/** `doctor`: looks at everything that Mission Control needs, and says what to do about what is missing. Changes nothing. */
import { Command } from 'commander';
import { say, withJson, type OutputOptions } from '../answer.ts';
import { exitCodes } from '../exit.ts';
import { safe } from '../safe-text.ts';
import { styled, tone } from '../terminal.ts';

export const doctorCommand = (): Command => withJson(new Command('doctor')
  .description('check this host and what runs on it; exits 1 when something fails'))
  .action(async ({ json }: OutputOptions) => {
    // The drivers of PostgreSQL and Temporal take half a second to load; no other command needs them.
    const { examine } = await import('../doctor/examine.ts');
    const checks = await examine();
    const ok = checks.every(({ state }) => state !== 'fail');
    if (json) say(JSON.stringify({ ok, checks }));
    else {
      for (const { name, state, detail, todo } of checks) {
        say(`${tone(state)}${' '.repeat(6 - state.length)}${styled('bold', name.padEnd(16))}${safe(detail)}${todo === null ? '' : `\n${' '.repeat(22)}→ ${safe(todo)}`}`);
      }
    }
    if (!ok) process.exitCode = exitCodes.failed;
  });
