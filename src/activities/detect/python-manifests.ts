/** As much of pyproject.toml and tox.ini as detection needs. What is written in another way is left out, never guessed. */

export interface Pyproject {
  /** It can be installed: it says how it is built, or what it is. */
  installable: boolean;
  /** Extras that hold what tests need. */
  extras: string[];
  /** Requirements of the groups that hold what tests need. */
  groups: string[];
}

const forTests = new Set(['test', 'tests', 'testing', 'dev']);
/** A requirement as PEP 508 writes it; never an option of pip, which could name another index. */
const requirement = /^[A-Za-z0-9][\w.-]{0,100}(?:\[[\w., -]{0,200}\])?[\w\s.,<>=!~*;'"()+-]{0,300}$/;
const isRequirement = (value: string): boolean => requirement.test(value) && !/\s-|\n/.test(value);
const header = /^\s*\[([^[\]]{1,200})\]\s*(?:#.*)?$/;

export function readPyproject(text: string): Pyproject {
  const sections = sectionsOf(text);
  const extras = [...arraysOf(sections.get('project.optional-dependencies') ?? []).keys()].filter((name) => forTests.has(name));
  const groups = [...arraysOf(sections.get('dependency-groups') ?? [])].flatMap(([name, values]) => (forTests.has(name) ? values : []));
  return {
    installable: sections.has('build-system') || sections.has('project') || sections.has('tool.poetry'),
    extras, groups: groups.filter(isRequirement),
  };
}

/** The lines of `deps =` of tox's default environment. Files (`-r …`) are found by their names. */
export function readToxDependencies(text: string): string[] {
  const lines = sectionsOf(text).get('testenv') ?? [];
  const start = lines.findIndex((line) => /^deps\s*=/.test(line));
  if (start < 0) return [];
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => /^\S/.test(line));
  const values = [lines[start]!.replace(/^deps\s*=/, ''), ...rest.slice(0, end < 0 ? undefined : end)];
  return values.map((value) => value.trim()).filter((value) => isRequirement(value));
}

function sectionsOf(text: string): Map<string, string[]> {
  const sections = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const name = header.exec(line)?.[1];
    if (name === undefined) lines.push(line);
    else sections.set(name.trim(), lines = []);
  }
  return sections;
}

/** `name = ["a", 'b']`, over any number of lines. */
function arraysOf(lines: readonly string[]): Map<string, string[]> {
  const arrays = new Map<string, string[]>();
  let open: string[] | null = null;
  for (const line of lines) {
    const begins = /^\s*"?([\w.-]{1,100})"?\s*=\s*\[(.*)$/.exec(line);
    if (begins !== null) arrays.set(begins[1]!, open = []);
    if (open === null) continue;
    // Not a text: a comment, and tables such as `{include-group = "x"}`.
    const content = (begins === null ? line : begins[2]!).replace(/^\s*#.*$/, '').replaceAll(/\{[^{}]{0,500}\}/g, '');
    const outside = content.replaceAll(/"([^"]{0,500})"|'([^']{0,500})'/g, (_, double?: string, single?: string) => {
      open!.push(double ?? single ?? '');
      return '';
    });
    if (outside.includes(']')) open = null;
  }
  return arrays;
}
