/** A server whose stagings tell what a test wants them to, and leave droplets with folders. */
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import type { StageIo } from '../../../../src/service/builds/means.ts';
import { createAccount } from '../../../../src/service/sign-in/accounts.ts';
import { openDatabase } from '../../../../src/service/state/database.ts';
import { dropletKey } from '../../../../src/staging/droplet/store.ts';
import type { PhaseName } from '../../../../src/words/events.ts';
import { newGuid } from '../../../../src/words/ids.ts';
import { startApi } from '../support/api.ts';
import { fakeMeans } from '../support/staging.ts';
import { embeddedTemplate } from '../support/template.ts';

export const PERSON = { username: 'ada', password: 'correct horse' } as const;

/** What one staging tells. */
export interface Script {
  readonly lines: readonly string[];
  /** Path and size of the droplet's files. */
  readonly files: Readonly<Record<string, number>>;
  readonly commands: Readonly<Record<string, string>>;
  /** Awaited before the last line. */
  readonly gate?: Promise<void>;
}

/** @param scriptOf by the name of an app, and how often it was staged before. */
export async function startScripted(scriptOf: (app: string, times: number) => Script) {
  const fake = await fakeMeans();
  const times = new Map<string, number>();
  const means: typeof fake = {
    ...fake,
    stage: async (request, io) => {
      const { name, guid: app } = request.app;
      const count = times.get(name) ?? 0;
      times.set(name, count + 1);
      const script = scriptOf(name, count);
      const record = await fake.stage({ ...request, env: { FAKE_LINES: '0' } }, io);
      await tell(script, io);
      const blobs = await fake.blobs();
      const guid = newGuid();
      const { signal } = io;
      const info = await blobs.put(dropletKey(app, guid), tarball(script.files), {
        contentType: 'application/gzip',
        signal,
      });
      return {
        ...record,
        droplet: { ...record.droplet, ...info, guid, location: blobs.location(info.key) },
        result: { ...record.result, process_types: script.commands },
      };
    },
  };
  const database = await openDatabase({ memory: true, template: await embeddedTemplate() });
  const started = await startApi({ database }, means);
  await createAccount(database.queries, { ...PERSON, scopes: ['cloud_controller.admin'] });
  return started;
}

const PHASES: readonly (readonly [PhaseName, seconds: number, note: string])[] = [
  ['workspace', 2, '1,204 files, 31 MiB'],
  ['detect', 1, 'nodejs'],
  ['supply', 24, ''],
  ['finalize', 7, ''],
  ['droplet', 9, '62 MiB'],
];

/** Each phase as if it had taken its seconds; lines come in the middle. */
async function tell({ lines, gate }: Script, { emit }: StageIo): Promise<void> {
  let now = Date.now() - 1000 * PHASES.reduce((sum, [, seconds]) => sum + seconds, 0);
  for (const [name, seconds, note] of PHASES) {
    const phase = { name, ...(name === 'supply' && { index: 0, buildpack: 'nodejs' }) };
    emit({ type: 'phase-started', at: new Date(now).toISOString(), phase });
    now += seconds * 1000;
    const at = new Date(now).toISOString();
    if (name === 'supply') {
      for (const [index, text] of lines.entries()) {
        if (index === lines.length - 1) await gate;
        emit({ type: 'output', at, phase, stream: index % 7 === 6 ? 'stderr' : 'stdout', text });
      }
    }
    emit({ type: 'phase-ended', at, phase, outcome: 'done', durationMs: seconds * 1000, note });
  }
}

function tarball(files: Readonly<Record<string, number>>): Readable {
  const tar = pack();
  for (const [name, size] of Object.entries(files)) tar.entry({ name }, Buffer.alloc(size));
  tar.finalize();
  return Readable.from(tar, { objectMode: false }).pipe(createGzip());
}
