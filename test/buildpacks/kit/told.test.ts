/** Lines of the log that several buildpacks have. */
import { describe, expect, it } from 'vitest';
import { tellIgnoredVariables } from '../../../buildpacks/kit/ignored.ts';
import { createLog } from '../../../buildpacks/kit/log.ts';
import { tellWorkers } from '../../../buildpacks/kit/workers.ts';

function said(tell: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = [];
  tell(createLog((line) => lines.push(line.trim())));
  return lines.join('\n');
}

describe('what is told while staging', () => {
  it('names variables of other buildpacks that are set, with what takes their place', () => {
    const ignored = { BP_GO_VERSION: 'GOVERSION says it', BP_GO_TARGETS: 'others do' };
    const env = { BP_GO_VERSION: '1.26', BP_GO_TARGETS: '' };
    expect(said((log) => tellIgnoredVariables({ env, log }, ignored))).toBe(
      '**WARNING** BP_GO_VERSION is ignored: GOVERSION says it.',
    );
  });

  it('says how many workers fit into containers of usual sizes, and into which none does', () => {
    expect(said((log) => tellWorkers(log, 'children', { eachMb: 300, at: 'memory_limit 300M' }))).toBe(
      'children at memory_limit 300M: 256M: too small, 512M: 1, 1024M: 3, 2048M: 6 (WEB_CONCURRENCY sets another number)',
    );
    expect(said((log) => tellWorkers(log, 'children', { eachMb: 0, at: 'nothing' }))).toBe('');
  });
});
