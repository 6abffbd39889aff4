/** Checks of arguments, before anything is asked of the API. */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import { comparators, type Comparator } from '../../domain/metric.ts';
import { usageError } from './exit.ts';

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It is not a number.');
  return value;
}

export function count(text: string): number {
  const value = number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It is not a whole number above 0.');
  return value;
}

export function filled(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It is empty.');
  return text;
}

/** `encodeURIComponent` leaves these two as they are, and an address with them means another one. */
export function id(text: string): string {
  if (['.', '..'].includes(filled(text))) throw new InvalidArgumentError('It is not an id.');
  return text;
}

/** For options that may be given again and again. */
export const all = <T>(one: (text: string) => T) => (text: string, before: T[] | undefined): T[] => [...before ?? [], one(text)];

export interface Target { metric_id: string; comparator: Comparator; target: number }

/** `METRIC<VALUE`, with any of `<  <=  >  >=  ==`. */
export function target(text: string): Target {
  const [, metric = '', sign = '', value = ''] = /^([^<>=]+)([<>=]+)([^<>=]+)$/.exec(text) ?? [];
  if (!(comparators as readonly string[]).includes(sign)) {
    throw new InvalidArgumentError(`Write METRIC<VALUE, quoted, with one of ${comparators.join(' ')}: 'shop.errors<1'.`);
  }
  return { metric_id: metric.trim(), comparator: sign as Comparator, target: number(value) };
}

export const choice = (flags: string, description: string, values: readonly string[]): Option =>
  new Option(flags, description).choices(values);

/** Text of a file, or of standard input for `-`. @throws Ending usage */
export function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path === '-' ? 0 : path);
  } catch (error) {
    throw usageError(`${path === '-' ? 'standard input' : path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw usageError(`${path} is not UTF-8 text, and JSON carries nothing else`);
  }
}

/** @throws Ending usage */
export function readJson(path: string): Record<string, unknown> {
  const text = readText(path).replace(/^\uFEFF/, '');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usageError(`${path === '-' ? 'standard input' : path} is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw usageError(`${path} must hold one JSON object`);
  return value as Record<string, unknown>;
}
