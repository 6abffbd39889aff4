/**
 * Text from missions, tests and repositories is hostile: an escape sequence in a title could rewrite what the terminal
 * shows, or type for its user. Everything that is not ours goes through here on its way out.
 */

// Controls (C0, DEL, C1), formats (bidirectional overrides, zero width, tags), separators, private use, half surrogates.
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;

/** One line in which every character is one that is seen. */
export const safe = (text: string): string => text.replace(unsafe, visible);

/** Lines, each of them safe. */
export const safeLines = (text: string): string[] => text.split(/\r?\n/).map(safe);

function visible(character: string): string {
  switch (character) {
    case '\n': return '\\n';
    case '\r': return '\\r';
    case '\t': return '\\t';
    default: return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  }
}

/**
 * The same JSON, byte for byte, but for controls that JSON lets stand as they are: C1 among them, which some terminals
 * obey. They can only be inside strings, where an escape means the same.
 */
export const safeJson = (json: string): string =>
  json.replace(unsafe, (character) => (/[\n\r\t]/.test(character) ? character
    : Array.from({ length: character.length }, (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')));
