/** What a process and its fork server say to each other. */

export type ToServer =
  /** Start it, once as many sockets as it has descriptors have said that they are its. */
  | { id: string; argv: readonly string[]; cwd: string; env: Record<string, string>; descriptors: number }
  /** Nobody waits for this one any more. */
  | { forget: string };

export type Told =
  /** Where sockets connect to. */
  | { listening: string }
  | { id: string; pid: number }
  | { id: string; code: number | null; signal: NodeJS.Signals | null }
  /** As `spawn` said it. */
  | { id: string; failed: { message: string; code: string | undefined; syscall: string | undefined; path: string | undefined } };

/** The first line on each socket: which process's it is, and which of its descriptors. */
export const socketLine = {
  write: (id: string, descriptor: number): string => `${id} ${descriptor}\n`,
  /** `more`: it is not whole yet; null: it is something else. */
  read(text: string): { id: string; descriptor: number } | 'more' | null {
    const whole = /^([\da-f-]{36}) (\d)\n$/.exec(text);
    if (whole !== null) return { id: whole[1]!, descriptor: Number(whole[2]) };
    return text.length < 39 && !text.includes('\n') ? 'more' : null;
  },
};
