/** The key `config`, which config.yml and staging_info.yml have in common. */
import { pointerShape, stringShape, structShape } from './go/yaml-decode.ts';

/** `config` of config.yml. */
export interface BuildpackConfig {
  readonly entrypoint_prefix: string;
}

/** `config` as config.yml and staging_info.yml have it. */
export const configShape = pointerShape(
  structShape<BuildpackConfig>(
    'buildpackapplifecycle.BuildpackConfig',
    { entrypoint_prefix: stringShape },
    () => ({ entrypoint_prefix: '' }),
  ),
);
