/**
 * What Prometheus is told. Counters and histograms are of this process; what is true of all of them together (the queue,
 * workers) is read from the database when somebody asks, by a server only.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { BlobWatcher } from '../../stores/blobs/watched.ts';
import type { BuildEvent } from '../../words/events.ts';
import type { Queries } from '../state/database.ts';
import { fleetFigures } from './fleet-figures.ts';

interface Sized {
  readonly sizeBytes: number;
}

const bytesOf = (files: readonly Sized[]): number => files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** Seconds. */
const PHASE_BUCKETS = [0.1, 0.5, 1, 2, 5, 10, 20, 45, 90, 180, 360, 900];
const HTTP_BUCKETS = [0.005, 0.02, 0.1, 0.5, 1, 5, 30, 120];

/** See the top of the file. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #phases: Histogram<'phase' | 'buildpack' | 'outcome'>;
  readonly #builds: Counter<'outcome' | 'error'>;
  readonly #seconds: Histogram<'outcome'>;
  readonly #droplets: Counter;
  readonly #blobs: Histogram<'operation' | 'error'>;
  readonly #matches: Counter<'result'>;
  readonly #matchedBytes: Counter<'result'>;
  readonly #caches: Counter<'result'>;
  readonly #requests: Histogram<'method' | 'route' | 'status'>;
  #look: () => Promise<void> = () => Promise.resolve();

  constructor() {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#phases = new Histogram({
      name: 'stager_phase_seconds',
      help: 'Time of a phase of a staging',
      labelNames: ['phase', 'buildpack', 'outcome'],
      buckets: PHASE_BUCKETS,
      registers,
    });
    this.#builds = new Counter({
      name: 'stager_builds_total',
      help: 'Builds that ended in this process',
      labelNames: ['outcome', 'error'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'stager_build_seconds',
      help: 'Time from the claim of a build to its end',
      labelNames: ['outcome'],
      buckets: PHASE_BUCKETS,
      registers,
    });
    this.#droplets = new Counter({
      name: 'stager_droplet_bytes_total',
      help: 'Bytes of droplets that were stored',
      registers,
    });
    this.#blobs = new Histogram({
      name: 'stager_blobstore_seconds',
      help: 'Time of a call to the blobstore; error: the code of its failure, or empty',
      labelNames: ['operation', 'error'],
      buckets: HTTP_BUCKETS,
      registers,
    });
    this.#matches = new Counter({
      name: 'stager_resource_matches_total',
      help: 'Files that clients asked for before an upload: hit when the resource cache has them',
      labelNames: ['result'],
      registers,
    });
    this.#matchedBytes = new Counter({
      name: 'stager_resource_bytes_total',
      help: 'Bytes of those files: saved, or sent by the upload',
      labelNames: ['result'],
      registers,
    });
    this.#caches = new Counter({
      name: 'stager_build_cache_total',
      help: 'Stagings by what they found of a build cache of the app: hit, miss, or broken',
      labelNames: ['result'],
      registers,
    });
    this.#requests = new Histogram({
      name: 'stager_http_request_seconds',
      help: 'Time of a request, by route; none where there is none',
      labelNames: ['method', 'route', 'status'],
      buckets: HTTP_BUCKETS,
      registers,
    });
  }

  /** Adds what is read from the database at each look. */
  ofDatabase(queries: Queries): void {
    const registers = [this.#registry];
    const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
    const depth = gauge('stager_queue_depth', 'Builds that wait for a worker');
    const unfit = gauge('stager_queue_unfit', 'Builds that no living worker can take');
    const age = gauge('stager_queue_oldest_seconds', 'Time that the oldest build has waited');
    const running = gauge('stager_builds_running', 'Builds that a worker has');
    const workers = gauge('stager_workers', 'Workers that are alive and take builds');
    const slots = gauge('stager_worker_slots', 'Builds that those can have at once');
    const short = gauge(
      'stager_workers_short_of_disk',
      'Workers that take none, since their disk is nearly full',
    );
    const jobs = gauge('stager_jobs_unfinished', 'Jobs of the API that are not over');
    const up = gauge('stager_database_up', 'Whether the database answered');
    // Not by `collect`: the figures of one query are those of several metrics, which are read side by side.
    this.#look = async () => {
      const figures = await fleetFigures(queries).catch(() => undefined);
      up.set(figures === undefined ? 0 : 1);
      if (figures === undefined) return;
      depth.set(figures.waiting);
      unfit.set(figures.unfit);
      age.set(figures.oldest_s);
      running.set(figures.running);
      workers.set(figures.workers);
      slots.set(figures.slots);
      short.set(figures.short_of_disk);
      jobs.set(figures.jobs);
    };
  }

  /** Takes the events of one staging. */
  ofStaging(): (event: BuildEvent) => void {
    let cache: 'hit' | 'miss' | 'broken' = 'miss';
    return (event) => {
      if (event.type === 'warning' && event.code === 'build-cache-ignored') cache = 'broken';
      else if (event.type === 'phase-ended') {
        this.#phaseEnded(event);
        if (event.phase.name === 'restore-cache' && event.outcome === 'done' && cache === 'miss')
          cache = 'hit';
      } else if (event.type === 'staging-ended' && event.outcome === 'staged') {
        this.#droplets.inc(event.record.droplet.sizeBytes);
        if (!event.record.reused) this.#caches.inc({ result: cache });
      }
    };
  }

  /** Buildpacks are named without addresses: those may hold secrets, and are without number. */
  #phaseEnded({ phase, outcome, durationMs }: Extract<BuildEvent, { readonly type: 'phase-ended' }>): void {
    const buildpack = phase.buildpack ?? '';
    const labels = { phase: phase.name, buildpack: buildpack.includes('/') ? 'custom' : buildpack, outcome };
    this.#phases.observe(labels, durationMs / 1000);
  }

  /** `error`: its name in Cloud Controller's table. */
  build(outcome: 'staged' | 'failed' | 'lost' | 'given back', ms: number, error = ''): void {
    this.#builds.inc({ outcome, error });
    this.#seconds.observe({ outcome }, ms / 1000);
  }

  readonly blob: BlobWatcher = (operation, ms, failed = '') => {
    this.#blobs.observe({ operation, error: failed }, ms / 1000);
  };

  /** What an upload need not send, and what it has to. */
  matched(asked: readonly Sized[], known: readonly Sized[]): void {
    const [all, saved] = [bytesOf(asked), bytesOf(known)];
    this.#matches.inc({ result: 'hit' }, known.length);
    this.#matches.inc({ result: 'miss' }, asked.length - known.length);
    this.#matchedBytes.inc({ result: 'saved' }, saved);
    this.#matchedBytes.inc({ result: 'sent' }, all - saved);
  }

  /** `route`: its path as it was declared, so that there are not more of them than routes. */
  request(
    of: { readonly method: string; readonly route: string; readonly status: number },
    ms: number,
  ): void {
    this.#requests.observe({ ...of, status: String(of.status) }, ms / 1000);
  }

  /** In the format of Prometheus. */
  async text(): Promise<{ readonly contentType: string; readonly body: string }> {
    await this.#look();
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }
}
