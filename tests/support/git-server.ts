/** Origins that are reached over a network: git's own http-backend behind https, and a stand-in for ssh. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface Certificate { certFile: string; key: string; cert: string }

/** For 127.0.0.1, signed by itself. */
export function makeCertificate(folder: string): Certificate {
  const [keyFile, certFile] = [join(folder, 'tls-key.pem'), join(folder, 'tls-cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=origin',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' });
  return { certFile, key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8') };
}

/** A bare copy that can be pushed to. */
export function bareCopy(from: string, folder: string, name: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  execFileSync('git', ['clone', '-q', '--bare', from, path], { stdio: 'ignore' });
  execFileSync('git', [`--git-dir=${path}`, 'config', 'http.receivepack', 'true']);
  return path;
}

/** A path below this one is answered with a redirect to the rest of it. */
export const movedTo = '/moved-to';

/**
 * Serves the bare repositories of a folder.
 * @param login user and password that every request must bring; without it anybody may come in
 */
export async function serveGit(root: string, { key, cert }: Certificate, login?: { user: string; password: string }) {
  const wanted = login === undefined ? undefined : `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;
  /** Processes that had the password in their arguments or environment while they talked to us. */
  const leaks: string[] = [];
  let refused = 0;
  const server = createServer({ key, cert }, (request, response) => {
    if (login !== undefined) leaks.push(...holdersOf(login.password));
    if (wanted !== undefined && request.headers.authorization !== wanted) {
      refused += 1;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    const url = new URL(request.url!, 'https://origin');
    if (url.pathname.startsWith(movedTo)) {
      response.writeHead(301, { location: `${url.pathname.slice(movedTo.length)}${url.search}` }).end();
      return;
    }
    const backend = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'], GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', REQUEST_METHOD: request.method!, PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1), CONTENT_TYPE: request.headers['content-type'] ?? '', CONTENT_LENGTH: request.headers['content-length'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '', GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''), REMOTE_ADDR: '127.0.0.1',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    backend.stdin.on('error', () => undefined);
    request.pipe(backend.stdin);
    let head: Buffer | undefined = Buffer.alloc(0);
    backend.stdout.on('data', (chunk: Buffer) => {
      if (head === undefined) {
        response.write(chunk);
        return;
      }
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const lines = head.subarray(0, end).toString().split('\r\n').map((line) => line.split(': ') as [string, string]);
      const status = lines.find(([name]) => name === 'Status')?.[1];
      response.writeHead(status === undefined ? 200 : Number.parseInt(status, 10), Object.fromEntries(lines.filter(([name]) => name !== 'Status')));
      response.write(head.subarray(end + 4));
      head = undefined;
    });
    backend.on('close', () => response.end());
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, leaks,
    refused: () => refused,
    close: () => new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

function holdersOf(secret: string): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).flatMap((pid) => ['cmdline', 'environ'].flatMap((file) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(secret) ? [`${file} of ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()}`] : [];
    } catch {
      return [];
    }
  }));
}

/**
 * A program named ssh that runs what it is asked to run here, over the real protocol, and writes down how it was called.
 * @returns the folder to put first on PATH, and the file with one call a line
 */
export function sshStandIn(folder: string): { path: string; calls: string } {
  const [path, calls] = [join(folder, 'ssh-bin'), join(folder, 'ssh-calls')];
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'ssh'), `#!/bin/sh\necho "$*" >> '${calls}'\nfor last; do :; done\nexec sh -c "$last"\n`);
  chmodSync(join(path, 'ssh'), 0o755);
  return { path, calls };
}
