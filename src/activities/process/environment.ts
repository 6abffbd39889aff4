/** What a command sees of our environment: an allow list. Everything else, secrets above all, stays here. */
import type { RunRequest } from './runner.ts';

export const markerName = 'MISSION_CONTROL_RUN';
const commandNodeOptions = 'MISSION_CONTROL_COMMAND_NODE_OPTIONS';

/** Folders that tool chains keep themselves in. */
export const toolFolders = ['GOPATH', 'GOMODCACHE', 'CARGO_HOME', 'RUSTUP_HOME', 'JAVA_HOME', 'PYENV_ROOT'] as const;
const allowed = ['PATH', 'LANG', 'LC_ALL', 'TZ', ...toolFolders];
/** Files that programs with a network are told to read. */
export const networkFiles = ['NPM_CONFIG_USERCONFIG', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'] as const;
const allowedWithNetwork = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy',
  'npm_config_registry', 'PIP_INDEX_URL', 'GOPROXY', ...networkFiles];

/** Part of the environment digest of cached results. */
export function commandEnvironment(request: Pick<RunRequest, 'network' | 'marker' | 'env'>, home: string, tmp: string): Record<string, string> {
  const names = request.network ? [...allowed, ...allowedWithNetwork] : allowed;
  const passed = names.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(passed),
    HOME: home, TMPDIR: tmp, CI: '1', NO_UPDATE_NOTIFIER: '1',
    [markerName]: request.marker,
    ...request.env,
  };
}

/** The keeper is a node process too: options meant for the command travel under another name. */
export function forKeeper({ NODE_OPTIONS: options, ...env }: Record<string, string>): Record<string, string> {
  return options === undefined ? env : { ...env, [commandNodeOptions]: options };
}
