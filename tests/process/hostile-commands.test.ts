/** Untrusted tests and actions: what a repository's command tries, and what it gets at each level that keeps it out. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { pidsWith } from '../support/processes.ts';
import { temporaryFolder } from '../support/repository.ts';
import { limitedLevels, openLair, shutInLevels } from '../support/sandbox.ts';

const lair = await openLair();
const { at } = lair;
/** Stands for the database, the api and the engine. */
let server: Server;
let abstract: Server;
let port: number;
let reached = 0;
const abstractName = `\0mission-control-test-${process.pid}`;
const socketFolder = temporaryFolder();
const socket = join(socketFolder, 'docker.sock');
let unix: Server;
beforeAll(async () => {
  const listening = (one: Server, where: Parameters<Server['listen']>[0]): Promise<Server> =>
    new Promise((resolve) => { one.on('connection', (peer) => { reached += 1; peer.destroy(); }).listen(where, () => resolve(one)); });
  server = await listening(createServer(), { host: '127.0.0.1', port: 0 });
  abstract = await listening(createServer(), { path: abstractName });
  unix = await listening(createServer(), { path: socket });
  port = (server.address() as { port: number }).port;
});
afterAll(() => {
  for (const one of [server, abstract, unix]) one.close();
  rmSync(socketFolder, { recursive: true, force: true });
  lair.close();
});

/** What a connection comes to: `open`, or the error's code. */
const tries = (where: object): string => `
  import { connect } from 'node:net';
  const socket = connect(${JSON.stringify(where)}).setTimeout(5000);
  const end = (said) => { console.log(said); socket.destroy(); };
  socket.on('connect', () => end('open')).on('error', (error) => end(error.code)).on('timeout', () => end('silence'));`;

describe('the network', () => {
  for (const level of shutInLevels) {
    at(level, 'a server on this host\'s 127.0.0.1 refuses, and never hears of it', async () => {
      const before = reached;
      expect((await lair.node(level, tries({ host: '127.0.0.1', port }))).stdout).toBe('ECONNREFUSED\n');
      expect(reached).toBe(before);
    });

    at(level, 'the cloud\'s metadata address and every other one is unreachable', async () => {
      expect((await lair.node(level, tries({ host: '169.254.169.254', port: 80 }))).stdout).toBe('ENETUNREACH\n');
      expect((await lair.node(level, tries({ host: '8.8.8.8', port: 53 }))).stdout).toBe('ENETUNREACH\n');
    });

    at(level, 'names are not resolved', async () => {
      const { stdout } = await lair.node(level, "import dns from 'node:dns/promises'; console.log(await dns.lookup('example.com').then(() => 'resolved', (error) => error.code));");
      expect(['EAI_AGAIN\n', 'ENOTFOUND\n']).toContain(stdout);
    });

    at(level, 'sockets in the file system and abstract ones are not there', async () => {
      const before = reached;
      expect((await lair.node(level, tries({ path: socket }))).stdout).toBe('ENOENT\n');
      expect((await lair.node(level, tries({ path: abstractName }))).stdout).toBe('ECONNREFUSED\n');
      expect(reached).toBe(before);
    });

    at(level, 'a suite\'s own server on 127.0.0.1 works', async () => {
      const { stdout } = await lair.node(level, `
        import { createServer, get } from 'node:http';
        const server = createServer((_, answer) => answer.end('hello')).listen(0, '127.0.0.1', () =>
          get({ port: server.address().port, host: 'localhost', family: 4 }, (answer) => answer.on('data', (text) => { console.log(String(text)); server.close(); })));`);
      expect(stdout).toBe('hello\n');
    });

    at(level, 'with network: true the host\'s is there, and the evidence says so', async () => {
      const run = await lair.node(level, tries({ host: '127.0.0.1', port }), { network: true });
      expect(run.stdout).toBe('open\n');
      expect(run.sandbox).toMatchObject({ network: true, not_promised: expect.arrayContaining([expect.stringContaining('loopback')]) as string[] });
    });
  }

  at('prlimit', 'not promised: the host\'s loopback can be reached, and the evidence says so', async () => {
    const run = await lair.node('prlimit', tries({ host: '127.0.0.1', port }));
    expect(run.stdout).toBe('open\n');
    expect(run.sandbox.not_promised).toEqual(expect.arrayContaining([expect.stringContaining('loopback')]));
  });
});

/** Tries to read each path; prints those that it could. */
const reads = (paths: readonly string[]): string => `
  import { readFileSync, readdirSync, statSync } from 'node:fs';
  const seen = ${JSON.stringify(paths)}.filter((path) => {
    try { return statSync(path).isDirectory() ? readdirSync(path).length > 0 : readFileSync(path, 'utf8').length > 0; } catch { return false; }
  });
  console.log(JSON.stringify(seen));`;

describe('the file system', () => {
  for (const level of shutInLevels) {
    at(level, 'keys, addresses, artefacts, other worktrees, HOMEs and password files cannot be read', async () => {
      const homes = [...new Set([homedir(), userInfo().homedir])].flatMap((home) => ['.ssh', '.npmrc', '.gitconfig', '.aws', '.bashrc'].map((name) => join(home, name)));
      const paths = [...lair.secrets, join(lair.home, 'keys'), join(lair.home, 'worktrees', 'repo_2'), ...homes,
        '/etc/shadow', '/etc/gshadow', '/etc/ssh', '/etc/ssl/private', '/run', '/var/run', '/var/lib', '/home', '/srv', '/mnt'];
      const { stdout, exit_code } = await lair.node(level, reads(paths));
      expect(exit_code).toBe(0);
      expect(JSON.parse(stdout)).toEqual([]);
    });

    at(level, 'no path leads out: not a symlink, not /proc', async () => {
      const [key] = lair.secrets as [string, ...string[]];
      const { stdout } = await lair.shell(level, `ln -sf ${key} link; cat link 2>&1; cat /proc/self/root${key} 2>&1; cat /proc/1/root${key} 2>&1; cat /proc/self/cwd/../../../../keys/pepper 2>&1; true`);
      expect(stdout).not.toContain('secret');
      expect(stdout.match(/No such file|Permission denied/g)).toHaveLength(4);
    });

    at(level, 'nothing outside can be written: the system, our data, the mirror, the worktree\'s .git', async () => {
      const git = readFileSync(join(lair.worktree, '.git'), 'utf8');
      const places = ['/x', '/usr/x', '/etc/x', '/opt/x', '/root/x', '/var/x', '/dev/../x', join(lair.mirror, 'HEAD'),
        join(lair.mirror, 'config'), join(lair.worktree, '.git'), '/proc/sys/kernel/core_pattern', '/proc/sys/kernel/sysrq', '/proc/sysrq-trigger'];
      const { stdout } = await lair.node(level, `
        import { closeSync, openSync } from 'node:fs';
        // Opened, not written: a sandbox with a hole must not cost this host its settings.
        const open = (path) => { try { closeSync(openSync(path, path.startsWith('/proc/') ? 'r+' : 'a')); return true; } catch { return false; } };
        console.log(JSON.stringify(${JSON.stringify(places)}.filter(open)));`);
      expect(JSON.parse(stdout)).toEqual([]);
      expect(readFileSync(join(lair.worktree, '.git'), 'utf8')).toBe(git);
      expect(readdirSync(lair.mirror)).toEqual(['HEAD']);
      expect(existsSync('/usr/x')).toBe(false);
      // Below its own /tmp it may make what it likes: nobody else sees it.
      await lair.shell(level, `mkdir -p ${lair.other}; touch ${lair.home}/x ${lair.other}/x`);
      expect([join(lair.home, 'x'), join(lair.other, 'x')].filter((path) => existsSync(path))).toEqual([]);
    });

    at(level, 'the .git file cannot be moved away or removed either', async () => {
      await lair.shell(level, 'mv .git elsewhere; rm -rf .git; ln -sf /etc .git; true');
      expect(readFileSync(join(lair.worktree, '.git'), 'utf8')).toContain('gitdir');
    });

    at(level, 'what is read-only stays so: no remount, no unmount, not in namespaces of its own either', async () => {
      const { stdout } = await lair.shell(level, [
        'mount -o remount,rw /usr', 'umount -l /usr', 'mount -t tmpfs none /usr', 'umount -l /proc', 'mknod disk b 254 0',
        "unshare --user --map-root-user --mount sh -c 'mount -o remount,bind,rw /usr && touch /usr/x'",
        `unshare --user --map-root-user --mount sh -c 'umount -l ${join(lair.worktree, '.git')}'`,
        "unshare --user --map-root-user --mount sh -c 'umount -l /etc && ls /etc/passwd'",
      ].map((attempt) => `if ${attempt} 2>/dev/null; then echo did: '${attempt.replaceAll("'", '')}'; fi`).join('; '));
      expect(stdout).toBe('');
    });

    at(level, 'it has no capability and can get none', async () => {
      const { stdout } = await lair.shell(level, 'cat /proc/self/status');
      expect(stdout).toMatch(/^CapEff:\s+0+$/m);
      expect(stdout).toMatch(/^CapPrm:\s+0+$/m);
      expect(stdout).toMatch(/^NoNewPrivs:\s+1$/m);
    });

    at(level, 'what it needs is there: worktree, HOME, TMPDIR and /tmp to write, the mirror, programs and their libraries to read', async () => {
      const { stdout, exit_code } = await lair.shell(level, [
        'touch written', 'touch "$HOME/x" "$TMPDIR/x" /tmp/x /var/tmp/x /dev/shm/x', `cat ${lair.mirror}/HEAD`, 'cat .git', 'git --version', 'node --version',
        'test -r /etc/passwd', 'test -c /dev/null', 'test -c /dev/urandom', 'echo all',
      ].join(' && '));
      expect(stdout).toMatch(/all\n$/);
      expect(exit_code).toBe(0);
      // Its /tmp was its own.
      expect(existsSync('/tmp/x')).toBe(false);
      expect(existsSync(join(lair.worktree, 'written'))).toBe(true);
    });

    at(level, 'what is mounted for it is not told to the host: a list there would grow with every run, and slow each down', async () => {
      expect((await lair.shell(level, 'true')).exit_code).toBe(0);
      const told = existsSync('/run/mount/utab') ? readFileSync('/run/mount/utab', 'utf8') : '';
      expect(told).not.toContain(lair.home);
    });

    at(level, 'folders that a caller names are there, to read or to write', async () => {
      const [readable, writable] = [temporaryFolder(), temporaryFolder()];
      writeFileSync(join(readable, 'file'), 'told\n');
      const { stdout } = await lair.shell(level, `cat ${readable}/file; echo no > ${readable}/file; echo kept > ${writable}/file`, { readable: [readable], writable: [writable] });
      expect(stdout).toBe('told\n');
      expect(readFileSync(join(writable, 'file'), 'utf8')).toBe('kept\n');
      for (const folder of [readable, writable]) rmSync(folder, { recursive: true });
    });
  }

  for (const level of shutInLevels) {
    at(level, 'tool chains under the real HOME can be run and not changed; what lies beside them is not seen', async () => {
      const home = temporaryFolder();
      for (const folder of ['tools/bin', 'tools/lib', 'cargo', '.ssh', '.local/bin', '.local/share/keyrings']) mkdirSync(join(home, folder), { recursive: true });
      writeFileSync(join(home, 'tools', 'bin', 'my-tool'), '#!/bin/sh\ncat "$(dirname "$0")/../lib/part"\n', { mode: 0o755 });
      for (const [file, text] of [['tools/lib/part', 'tool\n'], ['cargo/config.toml', 'c'], ['cargo/credentials.toml', 'token'], ['.ssh/id', 'key'], ['.local/share/keyrings/k', 'k']] as const) writeFileSync(join(home, file), text);
      const kept = { HOME: process.env['HOME'], PATH: process.env['PATH'], CARGO_HOME: process.env['CARGO_HOME'] };
      Object.assign(process.env, { HOME: home, PATH: `${home}/tools/bin:${home}/.local/bin:${process.env['PATH']}`, CARGO_HOME: `${home}/cargo` });
      try {
        const { stdout } = await lair.shell(level, `my-tool; echo x > ${home}/tools/lib/part; cat $CARGO_HOME/config.toml $CARGO_HOME/credentials.toml ${home}/.ssh/id ${home}/.local/share/keyrings/k; ls -A ${home}`);
        expect(stdout).toBe('tool\nc.local\ncargo\ntools\n');
        expect(readFileSync(join(home, 'tools', 'lib', 'part'), 'utf8')).toBe('tool\n');
      } finally {
        for (const [name, value] of Object.entries(kept)) {
          if (value === undefined) delete process.env[name];
          else process.env[name] = value;
        }
        rmSync(home, { recursive: true });
      }
    });
  }

  at('prlimit', 'not promised: files of this user can be read, and the evidence says so', async () => {
    const run = await lair.node('prlimit', reads(lair.secrets));
    expect(JSON.parse(run.stdout)).toEqual(lair.secrets);
    expect(run.sandbox.not_promised).toEqual(expect.arrayContaining([expect.stringContaining('file system')]));
  });
});

describe('other processes', () => {
  for (const level of shutInLevels) {
    at(level, 'only its own are seen, and their environments', async () => {
      const { stdout } = await lair.shell(level, `ls /proc | grep -c '^[0-9]'; cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c VITEST; true`);
      const [processes, foreign] = stdout.trim().split('\n').map(Number);
      expect(processes).toBeLessThan(10);
      expect(foreign).toBe(0);
    });

    at(level, 'a process outside can be neither signalled nor traced', async () => {
      const { stdout } = await lair.shell(level, `kill -0 ${process.pid} 2>/dev/null && echo signalled; perl -e 'print "traced\\n" if syscall(101, 16, ${process.pid}, 0, 0) == 0' 2>/dev/null; echo done`);
      expect(stdout).toBe('done\n');
    });

    at(level, 'killing its parent ends the run and nothing else', async () => {
      const run = await lair.shell(level, 'kill -9 $PPID 2>/dev/null; kill -9 1 2>/dev/null; echo still here; exit 3');
      // Process 1 of a namespace cannot be killed from inside of it.
      expect(run).toMatchObject({ exit_code: 3, stdout: 'still here\n' });
    });

    at(level, 'a daemon that forked twice, left its session and took our marker off dies with the run', async () => {
      const name = `DAEMON_OF_A_TEST=${level}-${process.pid}`;
      const run = await lair.shell(level, `(setsid env -i ${name} sh -c 'sleep 1000 & sleep 1000' >/dev/null 2>&1 </dev/null &) ; while ! cat /proc/[0-9]*/environ | grep -aq DAEMON_OF_A_TEST; do sleep 0.05; done; echo up`);
      expect(run).toMatchObject({ exit_code: 0, stdout: 'up\n' });
      expect(pidsWith(name)).toEqual([]);
    });
  }

  const withGroups = lair.ladder.groups === null ? '' : ', for a control group holds it';
  at('prlimit', `a daemon that took our marker off ${lair.ladder.groups === null ? 'is not promised to die' : 'dies with the run'}${withGroups}`, async () => {
    const name = `DAEMON_OF_A_TEST=prlimit-${process.pid}`;
    const run = await lair.shell('prlimit', `(setsid env -i ${name} sh -c 'sleep 1000 & sleep 1000' >/dev/null 2>&1 </dev/null &) ; sleep 0.5`);
    const left = pidsWith(name);
    for (const pid of left) process.kill(pid, 'SIGKILL');
    expect(run.sandbox.not_promised).toEqual(expect.arrayContaining([expect.stringContaining('outlive')]));
    if (lair.ladder.groups !== null) expect(left).toEqual([]);
  });
});

describe('the terminal', () => {
  for (const level of limitedLevels) {
    at(level, 'there is none to push characters into', async () => {
      const { stdout } = await lair.shell(level, `ps -o tty= -p $$ || true; (exec 3<>/dev/tty) 2>/dev/null && echo opened; perl -e 'my $c = "x"; for my $fd (0, 1, 2) { open(my $h, "+<&=", $fd) and ioctl($h, 0x5412, $c) and print "pushed\\n" }' 2>/dev/null; echo done`);
      expect(stdout).toMatch(/^\?\s*\ndone\n$/);
    });
  }
});
