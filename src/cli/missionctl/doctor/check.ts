/** One thing that was looked at, and what to do about it. */
export interface Check {
  name: string;
  state: 'ok' | 'warn' | 'fail';
  detail: string;
  /** What a person can do; null when there is nothing to do. */
  todo: string | null;
}

type Finding = Omit<Check, 'name'>;

export const ok = (detail: string): Finding => ({ state: 'ok', detail, todo: null });
export const warn = (detail: string, todo: string | null = null): Finding => ({ state: 'warn', detail, todo });
export const fail = (detail: string, todo: string): Finding => ({ state: 'fail', detail, todo });

/** A check that breaks has found something too. */
export async function check(name: string, look: () => Finding | Promise<Finding>): Promise<Check> {
  try {
    return { name, ...await look() };
  } catch (error) {
    return { name, ...fail((error as Error).message.split('\n').slice(0, 4).join(' '), 'this check itself could not be made') };
  }
}
