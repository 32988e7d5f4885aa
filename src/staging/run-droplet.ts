/**
 * The story of one run: find the droplet → unpack it into a private directory → launch it in the sandbox → clean up.
 */

import { createReadStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileDigest } from '../machine/host/file-digest.ts';
import { placed } from '../machine/host/full-disk.ts';
import { loopbackNames } from '../machine/network/loopback.ts';
import { type NetworkKind, networkFor, type WantedNetwork } from '../machine/sandbox/port/network.ts';
import { MAX_FILES, type Sandbox } from '../machine/sandbox/port/sandbox.ts';
import type { BlobStore } from '../stores/blobs/port/blob-store.ts';
import type { StagingRecords } from '../stores/records/records.ts';
import type { Clock } from '../words/clock.ts';
import { isStagerError, StagerError } from '../words/errors.ts';
import { newGuid } from '../words/ids.ts';
import { resultSidecars } from '../words/result.ts';
import type { StagingRecord } from '../words/staging-record.ts';
import { MEBIBYTE } from '../words/units.ts';
import { type UnpackOptions, unpackTarball } from './droplet/unpack/unpack.ts';
import type { EmitRun } from './launch/events.ts';
import type { HealthCheck } from './launch/health.ts';
import { runDirsAt } from './launch/layout.ts';
import { type DropletPlace, type LocatedDroplet, locateDroplet, locatedBy } from './launch/locate.ts';
import { runProcesses as launch } from './launch/run-processes.ts';
import type { RunTarget } from './launch/run-request.ts';
import type { DropletRun, RunResult } from './launch/supervise.ts';
import { createRedactor } from './logs/redact.ts';
import { appIdentity } from './request/request.ts';
import type { StagingStack } from './steps/staging.ts';
import { type Services, secretValues } from './vcap/services.ts';
import { outOfWorkspace } from './workspace/full.ts';
import { createWorkspace, sweepWorkspaces } from './workspace/workspace.ts';

/** What to run. Sizes in MiB. */
export interface RunWish {
  /** A file, `file:///…`, `s3://…`, or the guid of a droplet or build; absent: the last one staged. */
  readonly droplet?: string;
  /** The staging whose droplet it is, where nobody has recorded it yet; instead of `droplet`. */
  readonly record?: StagingRecord;
  readonly target: RunTarget;
  /** 0 or absent: any free port. */
  readonly port?: number;
  readonly env: Readonly<Record<string, string>>;
  readonly services: Services;
  readonly appName?: string;
  readonly memoryMb: number;
  readonly diskMb: number;
  /** Which of the two are nobody's wish: what a manifest said at the staging comes before them. */
  readonly usual?: { readonly memory: boolean; readonly disk: boolean };
  /** Absent: the stack that the droplet was staged on, or `host`. */
  readonly stack?: string;
  readonly network: WantedNetwork;
  /** The port is published at all addresses of the machine, where the run has a network of its own. */
  readonly expose?: boolean;
  readonly healthCheck?: HealthCheck;
}

/** Everything a run works with. */
export interface RunDropletPorts {
  readonly sandbox: Sandbox;
  readonly stack: (name: string) => Promise<StagingStack>;
  readonly records: StagingRecords;
  readonly blobs: BlobStore;
  readonly openStore: (url: string) => Promise<BlobStore>;
  /** Directory that holds workspaces. */
  readonly workspaces: string;
  readonly clock: Clock;
}

/** A droplet that runs, and is removed with its directory when it ends. */
export interface RunningDroplet {
  readonly port?: number;
  readonly record?: StagingRecord;
  readonly ready: DropletRun['ready'];
  /** Settles when its directory is gone as well. */
  readonly done: Promise<RunResult>;
  /** As {@link done}. */
  stop: DropletRun['stop'];
}

/**
 * Unpacks and starts a droplet.
 *
 * @throws StagerError DROPLET_NOT_FOUND, DROPLET_INVALID, NO_START_COMMAND, PORT_IN_USE, CANCELLED and those of
 * the blobstore, before anything is started.
 */
export async function run(
  wish: RunWish,
  given: RunDropletPorts,
  io: { readonly signal: AbortSignal; readonly emit: EmitRun },
): Promise<RunningDroplet> {
  const located =
    wish.record === undefined ? await locateDroplet(wish.droplet, given.records) : locatedBy(wish.record);
  const { place } = located;
  const record = await recordOfDroplet(located, given);
  const stack = await given.stack(wish.stack ?? record?.stack ?? 'host');
  await sweepWorkspaces(given.workspaces);
  const { diskMb } = limitsOf(wish, record);
  const { network, own } = await apartFor(wish, given, io);
  const ports = { ...given, sandbox: own ?? given.sandbox };
  const workspace = await createWorkspace({
    parent: ports.workspaces,
    owner: ports.sandbox.owner,
    rootMode: 0o711,
    volume: { volumes: ports.sandbox.volumes, size: { bytes: diskMb * MEBIBYTE, files: MAX_FILES } },
  }).catch(async (error: unknown) => {
    await own?.[Symbol.asyncDispose]();
    throw error;
  });
  const release = async (): Promise<void> => {
    await workspace.release({ keep: 'never', failed: false });
    await own?.[Symbol.asyncDispose]();
  };
  try {
    const dirs = runDirsAt(join(workspace.root, 'run'));
    const droplet = { place, ...(record !== undefined && { record }) };
    const into = { owner: ports.sandbox.owner, limits: { bytes: wish.diskMb * MEBIBYTE } };
    await unpackDroplet(droplet, dirs.home, { ports, ...into, signal: io.signal });
    warnOfEnv(wish, record, { emit: io.emit, clock: ports.clock });
    const healthCheck = wish.healthCheck ?? recordedCheck(record, wish.target);
    const started = await launch(
      {
        guid: newGuid(),
        dirs,
        app: record?.app ?? (await appIdentity(nameOf(place), wish.appName)),
        target: wish.target,
        ...recorded(record),
        ...(wish.port !== undefined && { port: wish.port }),
        env: wish.env,
        services: wish.services,
        ...limitsOf(wish, record),
        ...(healthCheck !== undefined && { healthCheck }),
        rootfs: stack.rootfs,
        network,
        ...(wish.expose === true && { expose: true }),
        redact: createRedactor(secretValues(wish.services)),
      },
      { sandbox: ports.sandbox, clock: ports.clock, ...io },
    );
    const done = started.done.finally(release);
    done.catch(() => undefined); // A caller may look at `ready` only.
    const stop: DropletRun['stop'] = (options) => started.stop(options).then(() => done);
    return { ...started, ...(record !== undefined && { record }), done, stop };
  } catch (error) {
    const filled = isStagerError(error, 'HOST_DISK_FULL') && (await workspace.isFull());
    // The next start removes what is left.
    await release().catch(() => undefined);
    throw filled ? outOfWorkspace(error, diskMb) : placed(error, dirname(ports.workspaces));
  }
}

/** The sandbox of this run alone, and the network that its commands get. */
async function apartFor(
  wish: RunWish,
  { sandbox, clock }: RunDropletPorts,
  { emit }: { readonly emit: EmitRun },
): Promise<{ readonly network: NetworkKind; readonly own: (Sandbox & AsyncDisposable) | undefined }> {
  const { kind, warning } = networkFor(wish.network, sandbox);
  if (warning !== undefined) warn({ code: 'network-shared', message: warning }, { emit, clock });
  const { egress } = sandbox;
  const names = kind === 'egress' && egress?.had === true ? loopbackNames(wish.env, egress.allowed) : [];
  if (names.length > 0) {
    const message = `the app's loopback interface is its own, not this machine's: ${names.join('; ')}`;
    warn({ code: 'own-loopback', message }, { emit, clock });
  }
  const own = await sandbox.apart?.(kind === 'egress' ? { egress: 'running' } : {});
  return { network: kind, own };
}

/** Commands and sidecars: those of a manifest win over those of the droplet. */
function recorded(record: StagingRecord | undefined) {
  if (record === undefined) return {};
  const { result, launch: wished } = record;
  return {
    processTypes: { ...result.process_types, ...wished?.commands },
    sidecars: [...resultSidecars(result), ...(wished?.sidecars ?? [])],
  };
}

/** What was asked for, then what a manifest said of the process, then the usual. */
function limitsOf(wish: RunWish, record: StagingRecord | undefined): { memoryMb: number; diskMb: number } {
  const type = wish.target.kind === 'process' ? (wish.target.type ?? 'web') : 'web';
  const said = (map: Readonly<Record<string, number>> = {}) => new Map(Object.entries(map)).get(type);
  const memoryMb = wish.usual?.memory === true ? said(record?.launch?.memoryMb) : undefined;
  const diskMb = wish.usual?.disk === true ? said(record?.launch?.diskMb) : undefined;
  return { memoryMb: memoryMb ?? wish.memoryMb, diskMb: diskMb ?? wish.diskMb };
}

/** Values of a manifest's variables are not kept, so who runs the droplet has to give them. */
function warnOfEnv(
  wish: RunWish,
  record: StagingRecord | undefined,
  { emit, clock }: { readonly emit: EmitRun; readonly clock: Clock },
): void {
  const missing = (record?.launch?.envNames ?? []).filter((name) => !Object.hasOwn(wish.env, name));
  if (missing.length === 0) return;
  const message = `variables of the manifest are left out, since their values are not stored: ${missing.join(', ')}; give them with --env`;
  warn({ code: 'manifest-env', message }, { emit, clock });
}

function warn(
  warning: { readonly code: string; readonly message: string },
  { emit, clock }: { readonly emit: EmitRun; readonly clock: Clock },
): void {
  emit({ type: 'warning', at: new Date(clock.now()).toISOString(), ...warning });
}

/** What a manifest said of the process. */
function recordedCheck(record: StagingRecord | undefined, target: RunTarget): HealthCheck | undefined {
  if (target.kind !== 'process') return undefined;
  return new Map(Object.entries(record?.launch?.healthChecks ?? {})).get(target.type ?? 'web');
}

function nameOf(place: DropletPlace): string {
  return place.kind === 'file' ? place.path : place.key.name;
}

/** Unpacks a droplet of a file or a store. @throws StagerError DROPLET_INVALID, BLOB_CORRUPT and those of stores. */
export async function unpackDroplet(
  located: LocatedDroplet,
  home: string,
  { ports, ...options }: Omit<UnpackOptions, 'what'> & { readonly ports: RunDropletPorts },
): Promise<void> {
  const { signal } = options;
  try {
    await unpackTarball(await dropletBody(located, ports, signal), home, { what: 'the droplet', ...options });
  } catch (error) {
    // What is not an archive may have been one when it was stored: then the store is to blame, not the app.
    if (isStagerError(error, 'DROPLET_INVALID') && located.place.kind === 'blob')
      await readAll(await dropletBody(located, ports, signal));
    throw error;
  }
}

/** S3 addresses hold no endpoint: when the configured store knows the address, it is the one to read from. */
async function dropletBody(
  { place, record }: LocatedDroplet,
  ports: RunDropletPorts,
  signal: AbortSignal,
): Promise<Readable> {
  if (place.kind === 'file') return createReadStream(place.path);
  const { blobs } = ports;
  const store = blobs.location(place.key) === place.address ? blobs : await ports.openStore(place.store);
  const { info, body } = await store.get(place.key, { signal });
  if (record === undefined || record.droplet.sha256 === info.sha256) return body;
  body.destroy();
  throw otherDroplet(place.address, { record, actual: info.sha256 });
}

function otherDroplet(
  address: string,
  { record, actual }: { readonly record: StagingRecord; readonly actual: string },
): StagerError {
  const recorded = record.droplet.sha256;
  return new StagerError(
    'BLOB_CORRUPT',
    `${address} is not the droplet of build ${record.build}: it has sha256 ${actual}, the record ${recorded}`,
    {
      next: 'Stage the app again, or name the droplet that you mean.',
      details: { location: address, build: record.build, expected: recorded, actual },
    },
  );
}

async function readAll(body: Readable): Promise<void> {
  await pipeline(body, new Writable({ write: (_chunk, _encoding, done) => done() }));
}

/** A file's record is the one with its digest: staging_info.yml alone knows no process but web. */
export async function recordOfDroplet(
  { place, record }: LocatedDroplet,
  ports: RunDropletPorts,
): Promise<StagingRecord | undefined> {
  if (record !== undefined || place.kind !== 'file') return record;
  const sha256 = await fileDigest(place.path);
  return await ports.records.find(({ droplet }) => droplet.sha256 === sha256);
}
