/** The jobs of the staging side: processing uploads and removing bytes. */
import { z } from 'zod';
import { deleteBuildpack, storeUploadedBuildpack } from '../../service/builds/buildpack-bits.ts';
import { storeUploadedDroplet } from '../../service/builds/droplet-bits.ts';
import { packUpload } from '../../service/builds/package-bits.ts';
import type { StagingService } from '../../service/builds/staging-service.ts';
import type { JobTable } from '../../service/queue/jobs.ts';
import { GuidText } from './route/params.ts';

const OfGuid = z.object({ guid: GuidText });
const PackageUpload = OfGuid.extend({ from: z.array(z.string()) });
const BuildpackUpload = OfGuid.extend({ file: GuidText, filename: z.string() });

export function stagingJobs(staging: StagingService): JobTable {
  return {
    'package.upload': async (input, signal) => {
      const { guid, from } = PackageUpload.parse(input);
      await packUpload(guid, from, await staging.parts(signal));
    },
    'app.expire': async (input, signal) => {
      await staging.expire(OfGuid.parse(input).guid, signal);
    },
    'package.delete': async (input, signal) => {
      await staging.deletePackage(OfGuid.parse(input).guid, signal);
    },
    'droplet.upload': async (input, signal) => {
      await storeUploadedDroplet(OfGuid.parse(input).guid, await staging.parts(signal));
    },
    'droplet.delete': async (input, signal) => {
      await staging.deleteDroplet(OfGuid.parse(input).guid, signal);
    },
    'buildpack.upload': async (input, signal) => {
      await storeUploadedBuildpack(BuildpackUpload.parse(input), await staging.parts(signal));
    },
    'buildpack.delete': async (input, signal) => {
      await deleteBuildpack(OfGuid.parse(input).guid, await staging.parts(signal));
    },
    'app.clear_cache': async (input, signal) => {
      await staging.clearCaches(OfGuid.parse(input).guid, signal);
    },
    'admin.clear_caches': async (_input, signal) => {
      await staging.clearCaches(undefined, signal);
    },
  };
}
