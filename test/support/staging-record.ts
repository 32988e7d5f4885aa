/** The record of a staging that never was. */
import { newGuid, parseSha1, parseSha256 } from '../../src/words/ids.ts';
import type { StagingRecord } from '../../src/words/staging-record.ts';

/** @param location of its droplet. */
export function recordAt(location: string): StagingRecord {
  const sha1 = parseSha1('a'.repeat(40));
  const sha256 = parseSha256('b'.repeat(64));
  if (sha1 === undefined || sha256 === undefined) throw new Error('no digest');
  return {
    build: newGuid(),
    app: { guid: newGuid(), name: 'a' },
    source: '.',
    stack: 'host',
    sandbox: 'oci',
    startedAt: '2026-01-01T00:00:00.000Z',
    durationMs: 1,
    phases: [],
    buildpacks: [],
    droplet: { guid: newGuid(), location, sizeBytes: 1, sha1, sha256 },
    reused: false,
    limits: { memoryMb: 1, diskMb: 1, timeoutMs: 1 },
    peaks: {},
    warnings: [],
    result: {
      lifecycle_metadata: { buildpack_key: '', detected_buildpack: '', buildpacks: [] },
      process_types: { web: 'x' },
      processes: [],
      execution_metadata: '',
      lifecycle_type: 'buildpack',
    },
  };
}
