/** Requests of ours to the outside: the connected address is checked, redirects are not followed, size and time are capped. */
import { lookup as resolveName } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { privateRanges, type EgressPolicy } from '../domain/egress.ts';

const blocked = new BlockList();
for (const { net, prefix, family } of privateRanges) blocked.addSubnet(net, prefix, family);

const timeoutMs = 5_000;
const maxBytes = 1024 * 1024;

/** Whether an address is outside of the public internet. IPv4 inside IPv6 is judged as IPv4. */
export function isPrivate(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  const version = isIP(plain);
  if (version === 0) return true;
  return /^::ffff:/i.test(plain) || blocked.check(plain, version === 4 ? 'ipv4' : 'ipv6');
}

/**
 * The body of a GET.
 * @throws Error saying why: forbidden address, status, redirect, size, time
 */
export const fetchText = (url: string, policy: EgressPolicy): Promise<string> => send(url, policy, null);

/**
 * The body of the answer to a POST of JSON. Any 2xx is a yes.
 * @throws Error as `fetchText` does
 */
export const postTo = (url: string, body: unknown, policy: EgressPolicy): Promise<string> => send(url, policy, JSON.stringify(body));

/** @param body JSON to POST; null to GET */
async function send(url: string, policy: EgressPolicy, body: string | null): Promise<string> {
  const target = new URL(url);
  if (target.protocol !== 'http:' && target.protocol !== 'https:') throw new Error(`URL_FORBIDDEN: ${target.protocol} is not http: or https:`);
  if (target.username !== '' || target.password !== '') throw new Error('URL_FORBIDDEN: the URL holds a user name or password');
  const port = target.port === '' ? (target.protocol === 'https:' ? '443' : '80') : target.port;
  const allowed = policy.allow.includes(`${target.hostname}:${port}`);
  const refuse = (address: string): Error => new Error(`URL_FORBIDDEN: ${target.hostname} is ${address}, a private address the policy does not allow`);

  // The check is made on the address that is connected to: a name that answers differently the second time gains nothing.
  const lookup: LookupFunction = (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0);
      const bad = allowed ? undefined : addresses.find(({ address }) => isPrivate(address));
      if (bad !== undefined) return callback(refuse(bad.address), '', 0);
      if (options.all === true) return callback(null, addresses);
      return callback(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
  const literal = target.hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0 && !allowed && isPrivate(literal)) throw refuse(literal);

  return new Promise((resolve, reject) => {
    const request = (target.protocol === 'https:' ? httpsRequest : httpRequest)(target, {
      lookup, signal: AbortSignal.timeout(timeoutMs), agent: false, method: body === null ? 'GET' : 'POST',
      headers: { accept: 'application/json', ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }) },
    }, (response) => {
      const { statusCode = 0 } = response;
      if (body === null ? statusCode !== 200 : statusCode < 200 || statusCode > 299) {
        response.destroy();
        reject(new Error(statusCode >= 300 && statusCode < 400 ? `answered with a redirect (${statusCode}), which is not followed` : `answered ${statusCode}`));
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBytes) request.destroy(new Error(`answered more than ${maxBytes} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body ?? undefined);
  });
}
