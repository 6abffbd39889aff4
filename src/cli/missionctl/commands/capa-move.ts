/** `capa move`: to another state. */
import { Argument, Command } from 'commander';
import { capaStates } from '../../../domain/capa.ts';
import type { CapaDetail } from '../../../domain/capa-view.ts';
import { apiPath, show, withJson, type OutputOptions } from '../answer.ts';
import { count, filled, id } from '../arguments.ts';
import { capaLine } from '../capa-words.ts';
import { connect } from '../connection.ts';
import { versionToName } from './capa-version.ts';

interface MoveFlags extends OutputOptions { reason?: string; duplicateOf?: string; ifVersion?: number }

export const capaMove = (): Command => withJson(new Command('move')
  .description('move it to another state; what that needs is said when it is not there')
  .argument('<capa>', 'record id', id)
  .addArgument(new Argument('<state>', 'one of those that show names as next').choices(capaStates))
  .option('--reason <text>', 'why; decisions and ways back need one', filled)
  .option('--duplicate-of <capa>', 'for VOIDED: the record that this one repeats', id)
  .option('--if-version <n>', 'only if the record is at this version; otherwise the one it is at now', count))
  .action(async (record: string, to: string, { reason, duplicateOf, ifVersion, ...output }: MoveFlags) => {
    const client = connect();
    const body = {
      to, version: await versionToName(client, record, ifVersion), ...(reason === undefined ? {} : { reason }),
      ...(duplicateOf === undefined ? {} : { duplicate_of: duplicateOf }),
    };
    show(output, await client.send<CapaDetail>('POST', apiPath('capa', record, 'transitions'), body), capaLine);
  });
