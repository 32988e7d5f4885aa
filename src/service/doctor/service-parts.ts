/** What `stager doctor` checks beyond the machine: the proxies, and the parts of a server that were named. */
import type { Got } from 'got';
import type { ProxySettings } from '../../config/proxy.ts';
import type { Settings } from '../../config/settings.ts';
import type { DiagnoseOptions } from '../../machine/doctor/doctor.ts';
import { proxyFinding } from '../../machine/doctor/proxy-finding.ts';
import { dataFinding } from '../../machine/doctor/room.ts';
import { trustedAuthorities } from '../../machine/proxy/authorities.ts';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { clockFinding, type OtherClock } from './clock-finding.ts';
import { databaseFinding, databaseTime, embeddedFinding, queueFinding } from './database-finding.ts';
import { serverFinding } from './server-finding.ts';

export interface ServiceSurroundings {
  readonly settings: Pick<Settings, 'database' | 'data' | 'server' | 'blobstore'>;
  readonly proxy: ProxySettings;
  readonly extraCas: () => Promise<readonly string[]>;
  readonly http: () => Promise<Got>;
  readonly blobs: () => Promise<BlobStore>;
  readonly signal: AbortSignal;
}

export function serviceParts(around: ServiceSurroundings): DiagnoseOptions['service'] {
  const { settings, proxy, extraCas, http, blobs, signal } = around;
  const { database, data, server } = settings;
  // A directory is dated by this machine, or at most by its file server.
  const isRemote = settings.blobstore?.startsWith('s3:') === true;
  const clocks: OtherClock[] = [
    ...(database === undefined ? [] : [{ name: 'the database', now: () => databaseTime(database) }]),
    ...(isRemote ? [{ name: 'the blobstore', now: async () => await (await blobs()).now({ signal }) }] : []),
  ];
  return {
    proxy: async () =>
      await proxyFinding(proxy, { signal, tls: { ca: [...trustedAuthorities(await extraCas())] } }),
    ...(data !== undefined && { data: () => dataFinding(data) }),
    ...(database !== undefined
      ? { database: () => databaseFinding(database), queue: () => queueFinding(database) }
      : data !== undefined && { database: () => embeddedFinding(data) }),
    ...(clocks.length > 0 && { clock: () => clockFinding(clocks) }),
    ...(server !== undefined && {
      server: async () => await serverFinding({ http: await http(), signal }, server),
    }),
  };
}
