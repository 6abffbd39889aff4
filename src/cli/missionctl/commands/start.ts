/** `start` and `demo` are the launcher's own; what it checks first, it checks for these too. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { projectRoot } from '../../../project.ts';

export const startCommand = (name: 'start' | 'demo'): Command => new Command(name)
  .description(name === 'start'
    ? 'start everything in MISSION_CONTROL_HOME and stay until Ctrl-C (the same as npm start)'
    : 'start, and run one mission through all eleven stages on a repository made for it (npm run demo)')
  .action(async () => {
    // The launcher reads its argument from argv, as under npm.
    process.argv.splice(2, process.argv.length, ...(name === 'demo' ? ['--demo'] : []));
    await import(pathToFileURL(join(projectRoot, 'src', 'cli', 'start.mjs')).href);
  });
