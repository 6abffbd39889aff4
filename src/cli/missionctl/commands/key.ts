/** `key`: API keys. A key's secret is printed by `create`, once, and by nothing else. */
import { Command } from 'commander';
import { principalKinds, roles } from '../../../domain/actor.ts';
import { apiPath, say, sayJson, show, withJson, type OutputOptions } from '../answer.ts';
import { choice, filled, id, number } from '../arguments.ts';
import { connect } from '../connection.ts';
import { usageError } from '../exit.ts';
import { safe } from '../safe-text.ts';
import { table } from '../terminal.ts';
import { ageOf, shortTime } from '../words.ts';

interface Key {
  key_id: string; principal_id: string; kind: string; role: string; name: string; created_by: string; created_at: string;
  expires_at: string | null; revoked_at: string | null;
}

export const keyCommand = (): Command => new Command('key')
  .description('API keys of people, agents and services')
  .addCommand(create())
  .addCommand(withJson(new Command('list').description('keys, without their secrets'))
    .action(async (output: OutputOptions) => show(output, await connect().send<{ items: Key[] }>('GET', apiPath('keys')), keyTable)))
  .addCommand(withJson(new Command('revoke')
    .description('end a key at once')
    .argument('<key>', 'key id, as in key list', keyId))
    .action(async (key: string, output: OutputOptions) =>
      show(output, await connect().send<Key>('DELETE', apiPath('keys', key)), (gone) => `${safe(gone.key_id)} of ${safe(gone.principal_id)} is revoked`)));

interface CreateFlags extends OutputOptions { role: string; kind?: string; name?: string; expires?: string; expiresInDays?: number }

const create = (): Command => withJson(new Command('create')
  .description('make a key: standard output is the key alone, once')
  .argument('<principal>', 'who will use it', filled)
  .addOption(choice('--role <role>', 'what it may do', roles).makeOptionMandatory())
  .addOption(choice('--kind <kind>', 'otherwise agent for the role agent, else person', principalKinds))
  .option('--name <text>', 'what it is for', filled)
  .option('--expires <time>', 'RFC 3339', filled)
  .option('--expires-in-days <n>', 'fractions allowed', number))
  .action(async (principal: string, { role, kind, name, expires, expiresInDays, json }: CreateFlags) => {
    if (expires !== undefined && expiresInDays !== undefined) throw usageError('--expires and --expires-in-days: name one of them');
    const end = expiresInDays === undefined ? expires : inDays(expiresInDays);
    const body = {
      principal_id: principal, role, kind: kind ?? (role === 'agent' ? 'agent' : 'person'),
      ...(name === undefined ? {} : { name }), ...(end === undefined ? {} : { expires_at: end }),
    };
    const answer = await connect().send<Key & { key: string }>('POST', apiPath('keys'), body);
    if (json) return sayJson(answer.text);
    say(safe(answer.body.key));
    process.stderr.write(`${safe(answer.body.key_id)}: ${safe(principal)} is ${role}${end === undefined ? '' : ` until ${shortTime(end)}`}. It is shown this once; its user sets MISSION_CONTROL_KEY.\n`);
  });

function inDays(days: number): string {
  const end = new Date(Date.now() + days * 86_400_000);
  if (days <= 0 || Number.isNaN(end.getTime())) throw usageError('--expires-in-days must be above 0 and end in this age');
  return end.toISOString();
}

/** A key itself must not stand in argv, so it is not taken there; and the refusal does not repeat it. */
function keyId(text: string): string {
  if (text.startsWith('mck_')) throw usageError('that is a key, not a key id, and everybody on this host could read it; revoke it by its id: missionctl key list');
  return id(text);
}

const keyTable = ({ items }: { items: Key[] }): string => (items.length === 0 ? 'no keys' : table(
  ['key', 'principal', 'kind', 'role', 'name', 'age', 'made by', 'state'],
  items.map((key) => [
    safe(key.key_id), safe(key.principal_id), safe(key.kind), safe(key.role), safe(key.name), ageOf(key.created_at), safe(key.created_by), stateOf(key),
  ])));

function stateOf({ revoked_at, expires_at }: Key): string {
  if (revoked_at !== null) return `revoked ${shortTime(revoked_at)}`;
  if (expires_at === null) return 'valid';
  return Date.parse(expires_at) > Date.now() ? `valid until ${shortTime(expires_at)}` : `expired ${shortTime(expires_at)}`;
}
