/**
 * How git reaches an origin: which protocols' details we trust, and where a private one's credential comes from. A
 * credential is only ever in a file of the operator's; never in a URL, an argument, an environment or our database.
 */
import type { GitLimits } from './limits.ts';

export interface GitSettings {
  /** File in the form of git-credential-store(1), one `https://user:token@host` a line; undefined when there is none. */
  credentials: string | undefined;
  /** Private key for ssh origins. */
  sshKey: string | undefined;
  /** The hosts that are trusted, by their keys: a host that is not in it is not talked to. */
  knownHosts: string;
  /** Certificates of a private authority, for https origins. */
  caFile: string | undefined;
  limits: GitLimits;
}

/** Faults of old commits that many honest repositories carry, and that do nothing to us. Everything else refuses the fetch. */
const harmlessFaults = [
  'badDate', 'badDateOverflow', 'badEmail', 'badName', 'badTimezone', 'missingEmail', 'missingNameBeforeEmail', 'missingSpaceBeforeDate',
  'missingSpaceBeforeEmail', 'multipleAuthors', 'zeroPaddedDate', 'zeroPaddedFilemode', 'badTagName', 'missingTaggerEntry', 'nulInCommit',
];

export function transportSettings({ credentials, sshKey, knownHosts, caFile }: GitSettings): { config: string[]; environment: Record<string, string> } {
  const config = [
    'fetch.fsckObjects=true', ...harmlessFaults.map((fault) => `fetch.fsck.${fault}=ignore`),
    // Always as a pack: the limits hold for one file, and a few objects of a gigabyte each are not unpacked one by one.
    'fetch.unpackLimit=1', 'pack.threads=2', 'pack.windowMemory=256m',
    // Not even to another https host: what was registered is what is asked.
    'http.followRedirects=false', 'http.lowSpeedLimit=100', 'http.lowSpeedTime=60',
    // The empty one first takes back every helper named before.
    'credential.helper=', ...(credentials === undefined ? [] : [`credential.helper=${readingHelper(credentials)}`]),
    'core.askPass=',
  ];
  return {
    config: config.flatMap((setting) => ['-c', setting]),
    environment: {
      GIT_SSH_COMMAND: sshCommand(sshKey, knownHosts), GIT_SSH_VARIANT: 'ssh',
      ...(caFile === undefined ? {} : { GIT_SSL_CAINFO: caFile }),
    },
  };
}

/** Git's own store, asked only: by itself it would strike out a credential that a server refuses once. */
const readingHelper = (file: string): string =>
  `!reading() { test "$1" = get || exit 0; exec git credential-store --file=${quoted(file)} get; }; reading`;

/** No settings but these, no question that a person would have to answer, and no host that the operator did not name. */
const sshCommand = (key: string | undefined, knownHosts: string): string => [
  'ssh', '-F', '/dev/null',
  ...[
    'BatchMode=yes', 'StrictHostKeyChecking=yes', `UserKnownHostsFile=${inSshConfig(knownHosts)}`, 'GlobalKnownHostsFile=/dev/null',
    'UpdateHostKeys=no', 'IdentitiesOnly=yes', 'IdentityAgent=none', 'ForwardAgent=no', 'ClearAllForwardings=yes', 'ControlPath=none',
    'ConnectTimeout=15', 'ServerAliveInterval=15', 'ServerAliveCountMax=4',
    // Without a name ssh would take the keys of whoever runs us.
    `IdentityFile=${key === undefined ? 'none' : inSshConfig(key)}`,
  ].flatMap((option) => ['-o', quoted(option)]),
].join(' ');

const inSshConfig = (path: string): string => `"${path.replaceAll('%', '%%')}"`;

/** Both texts go through a shell of git's. The paths are the operator's, and may hold spaces. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
