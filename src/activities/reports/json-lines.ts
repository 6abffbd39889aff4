/** A line that only looks like an object costs an exception of some 30 µs; with more than this many, the rest is not read. */
const maxBroken = 10_000;

/** The objects among the lines of a text, one after the other. Everything else between them is the talk of programs. */
export function* jsonLines(lines: Iterable<string>): Generator<Record<string, unknown>> {
  let broken = 0;
  for (const line of lines) {
    const text = line.trim();
    if (!text.startsWith('{') || !text.endsWith('}')) continue;
    try {
      yield JSON.parse(text) as Record<string, unknown>;
    } catch {
      broken += 1;
      if (broken > maxBroken) return;
    }
  }
}
