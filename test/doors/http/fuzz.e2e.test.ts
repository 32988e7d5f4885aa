/** Every operation of the OpenAPI document, fuzzed by schemathesis: a program that nobody here wrote. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { describeApi } from './support/api.ts';

const installed = spawnSync(
  'sh',
  [fileURLToPath(new URL('../../../scripts/schemathesis.sh', import.meta.url))],
  {
    encoding: 'utf8',
  },
);
const program = installed.stdout.trim();
/** Of the requests; the same ones every time, unless another is asked for. */
const SEED = process.env['STAGER_TEST_SEED'] ?? '1';
/** Requests of each kind for each operation. One is some 400 on each database, which is what a run of all tests has time for. */
const EXAMPLES = process.env['STAGER_TEST_EXAMPLES'] ?? '1';
const run = promisify(execFile);

if (installed.status !== 0) {
  const why = installed.stderr.trim().split('\n').at(-1) ?? '';
  process.stderr.write(`\nNOT RUN: fuzzing the API with schemathesis: ${why}\n\n`);
  describe('fuzzing', () => {
    it.skip(`NOT RUN: schemathesis can't be installed: ${why}`, () => undefined);
  });
} else {
  describeApi('the API under schemathesis', (api) => {
    it('never fails by itself, and never answers outside of its schemas', async () => {
      const cwd = await mkdtemp(join(tmpdir(), 'stager-fuzz-'));
      const { stdout } = await run(
        program,
        [
          'run',
          `${api().url}/openapi.json`,
          '--header',
          `Authorization: bearer ${api().world.users.admin.token}`,
          '--phases=fuzzing',
          `--max-examples=${EXAMPLES}`,
          `--seed=${SEED}`,
          '--checks=not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance',
          '--exclude-path-regex=^/docs',
          '--request-timeout=120',
          '--suppress-health-check=all',
          '--no-color',
          '--warnings=off',
        ],
        { cwd, maxBuffer: 64 * 1024 * 1024 },
      ).catch((error: unknown) => ({ stdout: outputOf(error) }));
      await rm(cwd, { recursive: true, force: true });
      expect(stdout).toMatch(/No issues found|0 failures|passed/);
      expect(stdout).not.toContain('FAILURES');
    });
  });
}

function outputOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('stdout' in error)) return String(error);
  return `FAILURES\n${String(error.stdout)}`;
}
