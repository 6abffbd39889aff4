/** Makes a `switch` over a union exhaustive: the compiler refuses a missing case, the run names it. */
export function assertNever(value: never): never {
  throw new Error(`unexpected case: ${JSON.stringify(value)}`);
}
