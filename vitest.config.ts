import { defineConfig } from 'vitest/config';

/** Milliseconds. Only for what hangs: a busy machine is no failure. */
const PATIENT = { testTimeout: 600_000, hookTimeout: 600_000 } as const;

/** What a file's name says about what it needs; everything else is a unit test. */
const slow = {
  sandbox: 'test/**/*.sandbox.test.ts',
  s3: 'test/**/*.s3.test.ts',
  e2e: 'test/**/*.e2e.test.ts',
} as const;

export default defineConfig({
  test: {
    // Most of a test's time is spent waiting for sandboxes and servers.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...Object.values(slow), '**/node_modules/**'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      { extends: true, test: { name: 'sandbox', include: [slow.sandbox], ...PATIENT } },
      { extends: true, test: { name: 's3', include: [slow.s3], ...PATIENT } },
      {
        extends: true,
        test: {
          name: 'e2e',
          globalSetup: ['test/support/global-setup.ts'],
          include: [slow.e2e],
          ...PATIENT,
        },
      },
    ],
  },
});
