/** The only file that constructs adapters: configuration in, a {@link Stager} out. */
import { join } from 'node:path';
import type { Config } from './config/load.ts';
import { type Diagnosis, diagnose } from './machine/doctor/doctor.ts';
import { openDataHome } from './machine/host/data-home.ts';
import { repairLayout } from './machine/host/data-layout.ts';
import { placed } from './machine/host/full-disk.ts';
import { OWN_ROOT } from './machine/host/own-package.ts';
import { readyHome } from './machine/host/ready-home.ts';
import { type HostPort, placesIn } from './machine/network/allowed.ts';
import { ruledDownloads } from './machine/network/filtering-proxy.ts';
import { egressWish } from './machine/network/wish.ts';
import { authoritiesFile } from './machine/proxy/authorities.ts';
import { readCaFile } from './machine/proxy/ca-bundle.ts';
import { httpFor } from './machine/proxy/http-for.ts';
import { type Selection, type SelectOptions, selectSandbox } from './machine/sandbox/select.ts';
import { StackStore } from './machine/stack/store.ts';
import type { RemotePorts } from './remote/stage-remotely.ts';
import type { ImagePorts } from './staging/build-image.ts';
import { ContentStore } from './staging/buildpack/acquire/content-store.ts';
import type { DownloadPorts } from './staging/buildpack/acquire/download.ts';
import { BuildpackFetcher } from './staging/buildpack/acquire/fetch.ts';
import { BuildpackRegistry } from './staging/buildpack/acquire/registry.ts';
import type { ResolveParts } from './staging/buildpack/acquire/resolve.ts';
import { installShipped } from './staging/buildpack/acquire/shipped.ts';
import { LayerStore } from './staging/layers/store.ts';
import type { RunDropletPorts } from './staging/run-droplet.ts';
import type { StagePorts } from './staging/steps/staging.ts';
import { UnpackedTrees } from './staging/unpacked/trees.ts';
import { openBlobStore } from './stores/blobs/open.ts';
import type { BlobStore } from './stores/blobs/port/blob-store.ts';
import { storeFacts } from './stores/blobs/store-facts.ts';
import { type BlobWatcher, WatchedStore } from './stores/blobs/watched.ts';
import { StagingRecords } from './stores/records/records.ts';
import { RegistryClient } from './stores/registry/client.ts';
import { type RegistryLogin, registryPorts } from './stores/registry/open.ts';
import { type Clock, systemClock } from './words/clock.ts';
import type { Guid } from './words/ids.ts';
import { MadeOnce } from './words/made-once.ts';

/** The buildpacks that ship, made ready by the build. */
const SHIPPED = join(OWN_ROOT, 'dist/buildpacks');

/** Everything that the doors share. Parts that cost something are made when they are first asked for. */
export class Stager {
  readonly config: Config;
  readonly clock: Clock = systemClock;
  readonly records: StagingRecords;
  readonly stacks: StackStore;
  /** Directory that holds workspaces and runs. */
  readonly workspaces: string;
  readonly layers: LayerStore;
  /** Directory of compressed members. */
  readonly memberCache: string;
  readonly #blobs = new MadeOnce<BlobStore>();
  readonly #buildpacks = new MadeOnce<ResolveParts>();
  readonly #sandbox = new MadeOnce<Selection>();
  readonly #extraCas = new MadeOnce<readonly string[]>();
  readonly #home = new MadeOnce<void>();
  readonly #watch: BlobWatcher | undefined;
  readonly #isServer: boolean;

  /** @param server where an endpoint keeps its records, and what is told of every call to its blobstore. */
  constructor(
    config: Config,
    server?: { readonly records: string; readonly watch: BlobWatcher | undefined },
  ) {
    this.config = config;
    this.#watch = server?.watch;
    this.#isServer = server !== undefined;
    this.records = new StagingRecords(server?.records ?? join(config.home, 'stagings'));
    this.stacks = new StackStore(join(config.home, 'stacks'));
    this.workspaces = join(config.home, 'workspaces');
    this.layers = new LayerStore(join(config.home, 'layers'), this.clock);
    this.memberCache = join(config.home, 'members');
  }

  /** The blobstore that the settings name. */
  blobs(): Promise<BlobStore> {
    const { settings, home } = this.config;
    const watch = this.#watch;
    return this.#blobs.get(async () => {
      const store = await this.#openStore(settings.blobstore ?? join(home, 'blobs'));
      return watch === undefined ? store : new WatchedStore(store, watch);
    });
  }

  readonly #openStore = (address: string): Promise<BlobStore> =>
    openBlobStore(address, { proxy: this.config.proxy, extraCas: () => this.extraCas() });

  /** Registry, store and fetcher of buildpacks, the shipped ones installed. */
  buildpacks(signal: AbortSignal): Promise<ResolveParts> {
    return this.#buildpacks.get(async () => {
      return await this.#openBuildpacks(signal).catch((error: unknown) => {
        throw placed(error, this.config.home);
      });
    });
  }

  /** The sandbox that the settings ask for. @throws StagerError SANDBOX_UNAVAILABLE. */
  sandbox(signal: AbortSignal): Promise<Selection> {
    return this.#sandbox.get(() => selectSandbox(this.sandboxOptions(signal)));
  }

  /** How the sandbox is chosen; `stager doctor` asks for the reasons. */
  sandboxOptions(signal: AbortSignal): SelectOptions {
    const { settings, home, searchPath } = this.config;
    return {
      wanted: settings.sandbox,
      stateDir: join(home, 'sandbox'),
      searchPath: searchPath.split(':').filter((path) => path.startsWith('/')),
      bound: settings.diskBound,
      leaveCgroupMounts: settings.leaveCgroupMounts ?? false,
      signal,
      ...(/^(auto|egress)$/.test(settings.network) && { egress: this.#egress }),
      ...(settings.runtime !== undefined && { runtimePath: settings.runtime }),
    };
  }

  readonly #egress = () => egressWish(this.config.settings, this.config);

  /** The operator's own certificate authorities. */
  extraCas(): Promise<readonly string[]> {
    const { caFile } = this.config.settings;
    return this.#extraCas.get(async () => (caFile === undefined ? [] : await readCaFile(caFile)));
  }

  /** File of the stat cache of an app's source. */
  statCache(app: Guid): string {
    return join(this.config.cacheHome, 'stat', app);
  }

  /** What a staging needs. */
  async stagePorts(signal: AbortSignal): Promise<StagePorts> {
    const { home, proxy, settings } = this.config;
    await this.#openHome();
    const [place, blobs, buildpacks, extraCas] = await Promise.all([
      this.#sandboxAndPlace(signal),
      this.blobs(),
      this.buildpacks(signal),
      this.extraCas(),
    ]);
    return {
      ...place,
      blobs,
      buildpacks,
      extraCas,
      proxy,
      statCache: (app) => this.statCache(app),
      temp: place.workspaces,
      stack: (name) => this.stacks.resolve(name),
      records: this.records,
      memberCache: this.memberCache,
      layers: { store: this.layers, wanted: settings.workspace },
      unpacked: new UnpackedTrees(new ContentStore(join(home, 'unpacked'), this.clock)),
      kitNode: process.execPath,
      clock: this.clock,
      now: () => performance.now(),
    };
  }

  /** What downloading the dependencies of a buildpack needs. */
  async downloadPorts(signal: AbortSignal): Promise<DownloadPorts> {
    const { http } = await this.remoteHttp(signal);
    return { http, cacheDir: join(this.config.cacheHome, 'downloads'), clock: this.clock, signal };
  }

  /** What asking a server needs. */
  async remoteHttp(signal: AbortSignal) {
    return { http: await httpFor({ proxy: this.config.proxy, extraCa: await this.extraCas() }), signal };
  }

  /** What a staging on a server needs; `token` wins over that of STAGER_TOKEN and of `stager login`. */
  async remotePorts(url: string, signal: AbortSignal, token = this.config.token): Promise<RemotePorts> {
    const { http } = await this.remoteHttp(signal);
    const { serverUrl } = await import('./remote/links.ts');
    const { tokensFor } = await import('./remote/sign-in.ts');
    const file = this.config.loginsFile;
    return {
      http,
      tokens: tokensFor({ http, signal, file, given: token }, { url: serverUrl(url) }),
      statCache: (app) => this.statCache(app),
      now: () => performance.now(),
    };
  }

  /** What running a droplet needs. */
  async runPorts(signal: AbortSignal): Promise<RunDropletPorts> {
    await this.#openHome();
    const [place, blobs] = await Promise.all([this.#sandboxAndPlace(signal), this.blobs()]);
    const { records, clock } = this;
    const stack = (name: string) => this.stacks.resolve(name);
    return { ...place, blobs, records, clock, stack, openStore: this.#openStore };
  }

  /**
   * Who talks to image registries: for a server, to those that the rules for scripts allow and to the operator's mirrors.
   * `login` wins over every other credential for its registry.
   */
  async registryClient(signal: AbortSignal, login: RegistryLogin = {}): Promise<RegistryClient> {
    const mirrors = (this.config.settings.registryMirrors ?? []).flatMap(placesIn);
    const http = await httpFor((await this.#downloads(mirrors)).all);
    return new RegistryClient(registryPorts(this.config, { http, clock: this.clock, ...login }), signal);
  }

  /** How what users name is fetched. A server's users must not reach by it what their scripts may not. */
  async #downloads(named: readonly HostPort[] = []) {
    const reach = { proxy: this.config.proxy, extraCa: await this.extraCas() };
    const ruled = this.#isServer ? ruledDownloads(reach, await this.#egress(), named) : undefined;
    return { all: { ...reach, ...ruled?.reach }, ruled };
  }

  /** What making an image of a droplet needs. */
  async imagePorts(signal: AbortSignal): Promise<ImagePorts> {
    const client = await this.registryClient(signal);
    return { ...(await this.runPorts(signal)), client, memberCache: this.memberCache };
  }

  /** The sandbox, and where workspaces are that it can use. */
  async #sandboxAndPlace(signal: AbortSignal): Promise<Pick<RunDropletPorts, 'sandbox' | 'workspaces'>> {
    const { sandbox, workspacesAt } = await this.sandbox(signal);
    return { sandbox, workspaces: await workspacesAt(this.workspaces) };
  }

  /** What will be used on this machine, which stays as it is, and why other things can't be. @throws StagerError CANCELLED. */
  async diagnose(signal: AbortSignal): Promise<Diagnosis> {
    const { home, settings } = this.config;
    await this.#openHome();
    const { serviceParts } = await import('./service/doctor/service-parts.ts');
    const sandbox = { ...this.sandboxOptions(signal), leaveCgroupMounts: true };
    return await diagnose({
      sandbox,
      select: () => selectSandbox({ ...sandbox, egress: this.#egress }),
      home,
      stacks: this.stacks,
      stack: settings.stack,
      blobstore: async () => await storeFacts(await this.blobs(), signal),
      service: serviceParts({
        settings,
        proxy: this.config.proxy,
        extraCas: () => this.extraCas(),
        http: async () => (await this.remoteHttp(signal)).http,
        blobs: () => this.blobs(),
        signal,
      }),
      signal,
    });
  }

  /** Puts the layout of the data home right where nothing is lost by it; a sentence for each thing done. */
  async repair(): Promise<readonly string[]> {
    await openDataHome(this.config.home);
    return await repairLayout(this.config.home);
  }

  /** Gives back what this process holds. Call it when nothing is running. */
  async close(): Promise<void> {
    await (await this.#sandbox.made())?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Says in one sentence what whoever writes there first would otherwise have to say. */
  #openHome(): Promise<void> {
    return this.#home.get(() => readyHome(this.config.home));
  }

  async #openBuildpacks(signal: AbortSignal): Promise<ResolveParts> {
    const { home, cacheHome, proxy, searchPath } = this.config;
    await this.#openHome();
    const dir = join(home, 'buildpacks');
    const store = new ContentStore(dir, this.clock);
    const registry = new BuildpackRegistry({ dir, store, clock: this.clock });
    const { all, ruled } = await this.#downloads();
    const fetcher = new BuildpackFetcher({
      store,
      http: () => httpFor(all),
      cacheDir: join(cacheHome, 'downloads'),
      // git takes one file that replaces its own list, so that file holds everybody that is trusted.
      git: { searchPath, proxy, caFile: () => authoritiesFile(cacheHome, all.extraCa), ...ruled?.git },
      clock: this.clock,
    });
    const buildpacks = { registry, fetcher, store, shipped: SHIPPED };
    await installShipped({ from: SHIPPED, dir, buildpacks, signal });
    return buildpacks;
  }
}

/** What every door begins with. */
export const openStager = (config: Config): Stager => new Stager(config);

/** For an endpoint, which keeps blobs and records in `data` unless the settings name a blobstore. */
export function openEndpointStager(config: Config, data: string, watch?: BlobWatcher): Stager {
  const blobstore = config.settings.blobstore ?? join(data, 'blobs');
  const own = { ...config, settings: { ...config.settings, blobstore } };
  return new Stager(own, { records: join(data, 'stagings'), watch });
}
