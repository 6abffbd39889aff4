/** Environment → one frozen object. A bad value stops the start with a readable list. */
import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { defaultGitLimits } from './git/limits.ts';
import type { GitSettings } from './git/transport.ts';
import { projectRoot } from './project.ts';

const rootList = z.string().optional().transform((text) => (text ?? '').split(':').filter((part) => part !== ''))
  .refine((roots) => roots.every((root) => isAbsolute(root)), { error: ({ input }) => `not absolute: ${(input as string[]).filter((root) => !isAbsolute(root)).join(', ')}` });
const wholeNumber = (otherwise: number) => z.string().regex(/^[1-9]\d{0,6}$/, 'not a whole number from 1').transform(Number).default(otherwise);
const MiB = 1024 * 1024;
const commaList = z.string().optional().transform((text) => (text ?? '').split(',').map((s) => s.trim()).filter(Boolean));

const environmentSchema = z.object({
  MISSION_CONTROL_HOME: z.string().min(1).default('.mission-control'),
  MISSION_CONTROL_HOST: z.string().min(1).default('127.0.0.1'),
  // Digits only: an empty value would coerce to 0, which is a port of the system's choice.
  MISSION_CONTROL_PORT: z.string().regex(/^\d{1,5}$/, 'not a port').transform(Number).refine((port) => port <= 65_535, 'not a port').default(8000),
  MISSION_CONTROL_REPO_ROOTS: rootList,
  MISSION_CONTROL_CONFIG: z.string().min(1).optional(),
  MISSION_CONTROL_ARTIFACTS: z.string().min(1).optional(),
  MISSION_CONTROL_LEDGER_KEY: z.string().min(1).optional(),
  MISSION_CONTROL_ENVIRONMENT: z.string().min(1).max(200).default('development'),
  MISSION_CONTROL_CORS_ORIGINS: commaList,
  /** Files that give git what private origins ask for; the names of files, never a secret itself. */
  MISSION_CONTROL_GIT_CREDENTIALS: z.string().min(1).optional(),
  MISSION_CONTROL_GIT_SSH_KEY: z.string().min(1).optional(),
  MISSION_CONTROL_GIT_KNOWN_HOSTS: z.string().min(1).optional(),
  MISSION_CONTROL_GIT_CA_FILE: z.string().min(1).optional(),
  MISSION_CONTROL_GIT_PACK_MIB: wholeNumber(defaultGitLimits.pack_bytes / MiB),
  MISSION_CONTROL_GIT_MEMORY_MIB: wholeNumber(defaultGitLimits.memory_bytes / MiB),
  MISSION_CONTROL_GIT_FILE_MIB: wholeNumber(defaultGitLimits.file_bytes / MiB),
  MISSION_CONTROL_GIT_TREE_ENTRIES: wholeNumber(defaultGitLimits.tree_entries),
  MISSION_CONTROL_GIT_TIMEOUT_SECONDS: wholeNumber(defaultGitLimits.transfer_seconds),
  /** Clients of the live stream, WebSockets and waiting polls together. */
  MISSION_CONTROL_STREAM_CONNECTIONS: wholeNumber(5_000),
  MISSION_CONTROL_STREAM_CONNECTIONS_PER_PRINCIPAL: wholeNumber(200),
  /** How long a host may be away before its missions go on elsewhere. */
  MISSION_CONTROL_HOST_GRACE_SECONDS: wholeNumber(60),
  MISSION_CONTROL_ALLOW_PLAIN_HTTP: z.enum(['yes', 'no']).default('no'),
  MISSION_CONTROL_MIGRATION_URL: z.string().min(1).optional(),
  DATABASE_URL: z.string().min(1).optional(),
  TEMPORAL_ADDRESS: z.string().min(1).optional(),
  TEMPORAL_NAMESPACE: z.string().min(1).optional(),
  TEMPORAL_API_KEY: z.string().min(1).optional(),
  TEMPORAL_TLS_CERT: z.string().min(1).optional(),
  TEMPORAL_TLS_KEY: z.string().min(1).optional(),
  TEMPORAL_TLS_CA: z.string().min(1).optional(),
  TEMPORAL_TLS: z.enum(['true', 'false']).optional(),
  /** Where the Temporal Web UI is, for links; the launcher sets it for the embedded server. */
  TEMPORAL_UI_URL: z.string().min(1).optional(),
});

export interface Config {
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly repoRoots: readonly string[];
  readonly configFolder: string;
  readonly artifacts: string;
  /** Private key of the ledger, PEM; the hosts of one system share it. */
  readonly ledgerKey: string;
  readonly git: GitSettings;
  readonly environment: string;
  readonly corsOrigins: readonly string[];
  readonly hostGraceSeconds: number;
  readonly allowPlainHttp: boolean;
  readonly stream: { readonly connections: number; readonly connectionsPerPrincipal: number };
  readonly databaseUrl: string | undefined;
  readonly migrationUrl: string | undefined;
  readonly temporal: TemporalConfig;
}

export interface TemporalConfig {
  readonly address: string | undefined;
  readonly namespace: string;
  readonly apiKey: string | undefined;
  readonly tls: boolean;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly caFile: string | undefined;
  readonly uiUrl: string | undefined;
}

/** @throws Error listing every variable that is wrong */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const parsed = environmentSchema.safeParse(environment);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`the environment is not usable:\n${lines.join('\n')}`);
  }
  const env = parsed.data;
  const home = resolve(env.MISSION_CONTROL_HOME);
  return Object.freeze({
    home,
    host: env.MISSION_CONTROL_HOST,
    port: env.MISSION_CONTROL_PORT,
    repoRoots: Object.freeze([...env.MISSION_CONTROL_REPO_ROOTS, join(home, 'repositories')]),
    configFolder: resolve(env.MISSION_CONTROL_CONFIG ?? join(projectRoot, 'config')),
    artifacts: resolve(env.MISSION_CONTROL_ARTIFACTS ?? join(home, 'artifacts')),
    ledgerKey: resolve(env.MISSION_CONTROL_LEDGER_KEY ?? join(home, 'keys', 'ledger.pem')),
    git: gitSettings(env, join(home, 'keys')),
    environment: env.MISSION_CONTROL_ENVIRONMENT,
    corsOrigins: Object.freeze(env.MISSION_CONTROL_CORS_ORIGINS),
    hostGraceSeconds: env.MISSION_CONTROL_HOST_GRACE_SECONDS,
    allowPlainHttp: env.MISSION_CONTROL_ALLOW_PLAIN_HTTP === 'yes',
    stream: Object.freeze({ connections: env.MISSION_CONTROL_STREAM_CONNECTIONS, connectionsPerPrincipal: env.MISSION_CONTROL_STREAM_CONNECTIONS_PER_PRINCIPAL }),
    databaseUrl: env.DATABASE_URL,
    migrationUrl: env.MISSION_CONTROL_MIGRATION_URL,
    temporal: Object.freeze({
      address: env.TEMPORAL_ADDRESS,
      namespace: env.TEMPORAL_NAMESPACE ?? 'default',
      apiKey: env.TEMPORAL_API_KEY,
      tls: env.TEMPORAL_TLS === 'true' || env.TEMPORAL_TLS_CERT !== undefined || env.TEMPORAL_API_KEY !== undefined,
      certFile: env.TEMPORAL_TLS_CERT,
      keyFile: env.TEMPORAL_TLS_KEY,
      caFile: env.TEMPORAL_TLS_CA,
      uiUrl: env.TEMPORAL_UI_URL,
    }),
  });
}

/** What is not named is looked for beside the other keys; a file that is not there is none. */
function gitSettings(env: z.infer<typeof environmentSchema>, keys: string): GitSettings {
  const named = (path: string | undefined, otherwise: string): string | undefined =>
    path === undefined ? [join(keys, otherwise)].find((file) => existsSync(file)) : resolve(path);
  return Object.freeze({
    credentials: named(env.MISSION_CONTROL_GIT_CREDENTIALS, 'git-credentials'),
    sshKey: named(env.MISSION_CONTROL_GIT_SSH_KEY, 'git-ssh-key'),
    knownHosts: resolve(env.MISSION_CONTROL_GIT_KNOWN_HOSTS ?? join(keys, 'git-known-hosts')),
    caFile: env.MISSION_CONTROL_GIT_CA_FILE === undefined ? undefined : resolve(env.MISSION_CONTROL_GIT_CA_FILE),
    limits: Object.freeze({
      pack_bytes: env.MISSION_CONTROL_GIT_PACK_MIB * MiB, memory_bytes: env.MISSION_CONTROL_GIT_MEMORY_MIB * MiB,
      file_bytes: env.MISSION_CONTROL_GIT_FILE_MIB * MiB, tree_entries: env.MISSION_CONTROL_GIT_TREE_ENTRIES,
      transfer_seconds: env.MISSION_CONTROL_GIT_TIMEOUT_SECONDS, ask_seconds: defaultGitLimits.ask_seconds,
    }),
  });
}
