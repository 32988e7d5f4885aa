/** A row of apps as Cloud Foundry shows it. */
import type { z } from 'zod';
import type { App as Row } from '../../../../service/resources/apps.ts';
import { metadataOf, resourceFields, toOne } from '../../route/present.ts';
import { presentLifecycle } from './present-lifecycle.ts';
import type { AppAnswer } from './schema.ts';

export function presentApp(row: Row, base: string): z.input<typeof AppAnswer> {
  const self = `${base}/v3/apps/${row.guid}`;
  const link = (path: string) => ({ href: `${self}${path}` });
  const post = (path: string) => ({ href: `${self}${path}`, method: 'POST' });
  return {
    ...resourceFields(row),
    name: row.name,
    state: row.desired_state,
    lifecycle: presentLifecycle(row.lifecycle_type, row),
    relationships: { space: toOne(row.space_guid), current_droplet: toOne(row.current_droplet_guid) },
    metadata: metadataOf(row),
    links: {
      self: link(''),
      space: { href: `${base}/v3/spaces/${row.space_guid}` },
      processes: link('/processes'),
      packages: link('/packages'),
      environment_variables: link('/environment_variables'),
      current_droplet: link('/droplets/current'),
      droplets: link('/droplets'),
      tasks: link('/tasks'),
      start: post('/actions/start'),
      stop: post('/actions/stop'),
      clear_buildpack_cache: post('/actions/clear_buildpack_cache'),
      revisions: link('/revisions'),
      deployed_revisions: link('/revisions/deployed'),
      features: link('/features'),
    },
  };
}
