/** What a `requirements.txt` with hashes says, and whether exactly that can be installed in a fresh folder. */

export interface Requirements {
  /** Version by distribution name, normalised; null where none is pinned. */
  pins: ReadonlyMap<string, string | null>;
  /** Why nobody may install by it; null when one may. */
  unusable: { code: string; reason: string } | null;
}

/** Where packages may come from; what they are is said by their hashes. Anything that names another file or runs code is not among them. */
const options = /^(?:--find-links|-f|--no-index|--index-url|-i|--extra-index-url|--prefer-binary|--only-binary|--require-hashes)(?:[ =]|$)/;

/** As the package index compares names. */
export const distributionName = (name: string): string => name.toLowerCase().replace(/[-_.]+/g, '-');

export function readRequirements(text: string): Requirements {
  const pins = new Map<string, string | null>();
  let unusable: Requirements['unusable'] = null;
  const refuse = (code: string, reason: string): void => { unusable ??= { code, reason }; };
  const lines = text.replace(/\r/g, '').replace(/\\\n/g, ' ').split('\n').map((line) => line.replace(/(?:^|\s)#.*$/, '').trim());
  for (const line of lines) {
    if (line === '') continue;
    if (line.startsWith('-')) {
      if (!options.test(line)) refuse('REQUIREMENT_OPTION', `${line.split(/[ =]/)[0]} in the requirements is not understood`);
      continue;
    }
    const name = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/.exec(line)?.[0];
    if (name === undefined) {
      refuse('LOCK_FORMAT', 'a line of the requirements names no package');
      continue;
    }
    const version = /^(?:\[[^\]]*\])?\s*==\s*([A-Za-z0-9.!+_-]+)(?=[\s;]|$)/.exec(line.slice(name.length))?.[1];
    pins.set(distributionName(name), version ?? null);
    if (version === undefined || !/\s--hash[ =]sha(?:256|384|512):[0-9a-f]{64,128}(?=\s|$)/.test(line)) refuse('NOT_HASHED', `${name} is required without one version and its hash`);
  }
  return { pins, unusable };
}
