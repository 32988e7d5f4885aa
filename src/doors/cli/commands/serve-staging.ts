/** What `serve` stages with: this machine's sandbox, stacks and buildpacks, and blobs below the data directory. */
import { join } from 'node:path';
import type { Stager } from '../../../compose.ts';
import { whyBelowReserve } from '../../../machine/host/disk-reserve.ts';
import type { StagingMeans } from '../../../service/builds/means.ts';
import { parseCompression } from '../../../staging/droplet/pack/compression.ts';
import { imageFacts } from '../../../staging/inspect-image.ts';
import { stageApp } from '../../../staging/stage.ts';
import { stageAppWithCnbs } from '../../../staging/stage-cnb.ts';
import { markServed } from '../../../stores/blobs/served.ts';
import { MadeOnce } from '../../../words/made-once.ts';

/** What stager calls `host` has Cloud Foundry's name for clients. */
export function rootfsName(name: string): string {
  return name === 'host' ? 'cflinuxfs4' : name;
}

/** @param data directory of the endpoint's state. */
export function stagingMeans(stager: Stager, data: string): StagingMeans {
  const { settings } = stager.config;
  const marked = new MadeOnce<void>();
  return {
    blobs: async () => {
      const store = await stager.blobs();
      await marked.get(() => markServed(store, new AbortController().signal));
      return store;
    },
    buildpacks: (signal) => stager.buildpacks(signal),
    stage: async (request, { buildpacks, ...io }) => {
      const ports = await stager.stagePorts(io.signal);
      return await stageApp(request, { ...ports, buildpacks }, io);
    },
    stageWithCnbs: async (request, { credentials, onNote, ...io }) => {
      const client = await stager.registryClient(io.signal, { only: credentials, onNote });
      const ports = { ...(await stager.stagePorts(io.signal)), client };
      return await stageAppWithCnbs(request, ports, io);
    },
    shortOfDisk: async () => await whyBelowReserve([stager.workspaces, data]),
    inspect: async (image, { signal, credentials, onNote }) => {
      const client = await stager.registryClient(signal, { only: credentials, onNote });
      return await imageFacts(image, client);
    },
    uploads: join(data, 'uploads'),
    retention: {
      droplets: settings.keepDroplets,
      packages: settings.keepPackages,
      logMs: settings.keepLogs,
    },
    defaults: {
      memoryMb: settings.memory,
      diskMb: settings.disk,
      timeoutMs: settings.timeout,
      network: settings.network,
      ...(settings.compression !== undefined && { compression: parseCompression(settings.compression) }),
      rootfs: settings.stack,
      workers: settings.slots,
    },
  };
}
