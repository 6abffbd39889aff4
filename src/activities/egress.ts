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

/** An answer that is not the one hoped for. */
export class BadStatus extends Error {
  readonly status: number;
  constructor(status: number) {
    super(status >= 300 && status < 400 ? `answered with a redirect (${status}), which is not followed` : `answered ${status}`);
    this.name = 'BadStatus';
    this.status = status;
  }
}

/** An address that the policy does not allow. */
export class UrlForbidden extends Error {
  constructor(reason: string) {
    super(`URL_FORBIDDEN: ${reason}`);
    this.name = 'UrlForbidden';
  }
}

/**
 * The body of a GET.
 * @param statuses those whose body is wanted
 * @throws Error saying why: forbidden address, status, redirect, size, time
 */
export async function fetchText(url: string, policy: EgressPolicy, statuses: readonly number[] = [200]): Promise<string> {
  const { status, text } = await guardedRequest(url, policy, { method: 'GET', headers: { accept: 'application/json' } }, statuses);
  if (!statuses.includes(status)) throw new BadStatus(status);
  return text;
}

/**
 * The status of the answer to a GET, whatever it is.
 * @throws UrlForbidden, or an Error of the connection, size or time
 */
export async function fetchStatus(url: string, policy: EgressPolicy, limitMs: number): Promise<number> {
  return (await guardedRequest(url, policy, { method: 'GET', headers: { accept: '*/*' }, limitMs })).status;
}

/**
 * A POST of JSON; any 2xx is good, and what the answer says is not looked at.
 * @throws UrlForbidden, BadStatus, or an Error of the connection, size or time
 */
export async function postJson(url: string, policy: EgressPolicy, body: string, headers: Readonly<Record<string, string>>): Promise<void> {
  const { status } = await guardedRequest(url, policy, {
    method: 'POST', body, headers: { ...headers, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) },
  });
  if (status < 200 || status > 299) throw new BadStatus(status);
}

/** Looks a name up and refuses it when any of its addresses is private; the address that was checked is the one to connect to. */
export function guardedLookup(hostname: string, port: string, policy: EgressPolicy): { check: (literal: string) => void; lookup: LookupFunction } {
  const allowed = policy.allow.includes(`${hostname}:${port}`);
  const refuse = (address: string): Error => new UrlForbidden(`${hostname} is ${address}, a private address the policy does not allow`);
  return {
    check: (literal) => {
      if (isIP(literal) !== 0 && !allowed && isPrivate(literal)) throw refuse(literal);
    },
    // The check is made on the address that is connected to: a name that answers differently the second time gains nothing.
    lookup: (name, options, callback) => {
      resolveName(name, { ...options, all: true }, (error, addresses) => {
        if (error) return callback(error, '', 0);
        const bad = allowed ? undefined : addresses.find(({ address }) => isPrivate(address));
        if (bad !== undefined) return callback(refuse(bad.address), '', 0);
        if (options.all === true) return callback(null, addresses);
        return callback(null, addresses[0]!.address, addresses[0]!.family);
      });
    },
  };
}

interface GuardedRequest { method: 'GET' | 'POST'; headers: Record<string, string>; body?: string; limitMs?: number }

/** @param readable statuses, beside 2xx, whose body is read; of any other only the status is known */
async function guardedRequest(
  url: string, policy: EgressPolicy, { method, headers, body, limitMs = timeoutMs }: GuardedRequest, readable: readonly number[] = [],
): Promise<{ status: number; text: string }> {
  const target = new URL(url);
  if (target.protocol !== 'http:' && target.protocol !== 'https:') throw new UrlForbidden(`${target.protocol} is not http: or https:`);
  if (target.username !== '' || target.password !== '') throw new UrlForbidden('the URL holds a user name or password');
  const port = target.port === '' ? (target.protocol === 'https:' ? '443' : '80') : target.port;
  const { check, lookup } = guardedLookup(target.hostname, port, policy);
  check(target.hostname.replace(/^\[|\]$/g, ''));

  return new Promise((resolve, reject) => {
    const request = (target.protocol === 'https:' ? httpsRequest : httpRequest)(target, {
      method, lookup, signal: AbortSignal.timeout(limitMs), headers, agent: false,
    }, (response) => {
      const { statusCode: status = 0 } = response;
      if ((status < 200 || status > 299) && !readable.includes(status)) {
        response.destroy();
        resolve({ status, text: '' });
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBytes) request.destroy(new Error(`answered more than ${maxBytes} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () => resolve({ status, text: Buffer.concat(chunks).toString('utf8') }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}
