import { defineConfig } from 'vitest/config';
import everyday from './vitest.config.ts';

/** `npm run test:faults`: the crash matrix and the faults that take minutes, beside the quick ones of `npm test`. */
export default defineConfig({
  test: { ...everyday.test, include: ['tests/faults/**/*.fault.ts', 'tests/faults/**/*.test.ts'] },
});
