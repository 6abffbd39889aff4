/**
 * `open`: the dashboard's address, with a code that signs in once. Printed, not opened: the arguments of a browser's
 * start can be read by everybody on this host, and the code would be among them.
 */
import { Command } from 'commander';
import { signInLink } from '../../sign-in-link.ts';
import { say, withJson, type OutputOptions } from '../answer.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { shortTime } from '../words.ts';

export const openCommand = (): Command => withJson(new Command('open')
  .description('print a link to the dashboard that signs a browser in, once, within ten minutes'))
  .action(async ({ json }: OutputOptions) => {
    const link = await signInLink(connect());
    if (json) return say(JSON.stringify(link));
    say(safe(link.url));
    process.stderr.write(`It signs in once, until ${shortTime(link.expires_at)}. Another one: missionctl open\n`);
  });
