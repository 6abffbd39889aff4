/** Commands that nobody named, from what the base commit's own files say. The first language that has tests is taken. */
import type { Commands, RepositoryFiles } from './files.ts';
import { detectGo } from './go.ts';
import { detectMake } from './make.ts';
import { detectNode } from './node.ts';
import { detectPython } from './python.ts';
import { detectRust } from './rust.ts';

/** A Makefile comes last: beside a manifest it mostly calls the same tests, and says less about what they need. */
const languages = [detectNode, detectGo, detectRust, detectPython, detectMake];

/** @returns {} where no language is recognised */
export async function detectCommands(files: RepositoryFiles): Promise<Commands> {
  for (const detect of languages) {
    const commands = await detect(files);
    if (commands !== undefined) return commands;
  }
  return {};
}
