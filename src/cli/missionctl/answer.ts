/** Every command's output: the API's own JSON with `--json`, else words for a person. */
import type { Command } from 'commander';
import type { Answer } from '../client.ts';
import { safeJson } from './safe-text.ts';

export const say = (text: string): void => { process.stdout.write(`${text}\n`); };

export const sayJson = (json: string): void => say(safeJson(json.trimEnd()));

export interface OutputOptions { json?: true }

/** Gives a command its `--json`. */
export const withJson = (command: Command): Command => command.option('--json', 'print exactly the JSON that the API answers');

export function show<T>({ json }: OutputOptions, answer: Answer<T>, inWords: (body: T) => string): void {
  if (json) sayJson(answer.text);
  else say(inWords(answer.body));
}

/** A path of the API from parts that a caller named: a `/` or `..` in one stays in it. */
export const apiPath = (...parts: string[]): string => `/mission-control/${parts.map(encodeURIComponent).join('/')}`;

/** `?a=1&b=2` of what is there. */
export function queryOf(values: Record<string, string | number | undefined>): string {
  const entries = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as [string, string]]));
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries).toString()}`;
}
