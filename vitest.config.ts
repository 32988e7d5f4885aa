import { defineConfig } from 'vitest/config';

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
          // Only for what hangs: a busy machine is no failure.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: { name: 'sandbox', include: [slow.sandbox], testTimeout: 120_000, hookTimeout: 120_000 },
      },
      { extends: true, test: { name: 's3', include: [slow.s3], testTimeout: 120_000, hookTimeout: 120_000 } },
      {
        extends: true,
        test: {
          name: 'e2e',
          globalSetup: ['test/support/global-setup.ts'],
          include: [slow.e2e],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
