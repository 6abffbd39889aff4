/** Text of others on its way into a message: one line, bounded, nothing that a reader's program could take for its own. */

// Controls (C0 with CR and LF, DEL, C1), formats (bidirectional overrides, zero width), line separators, half surrogates.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu;

/** The text as one line of at most `max` UTF-16 units; what was cut off is shown by `…`. */
export function oneLine(text: string, max: number): string {
  // Cut before it is cleaned: a text of megabytes costs what a short one does.
  const line = text.slice(0, max * 4).replace(unprintable, ' ').replace(/\s+/g, ' ').trim();
  if (line.length <= max && text.length <= max * 4) return line;
  return `${line.slice(0, max - 1).replace(/\p{Cs}$/u, '')}…`;
}
