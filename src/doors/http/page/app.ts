/** `/apps/:guid`: one app with its processes, builds and droplets. */
import { html } from 'ghtml';
import { z } from 'zod';
import { mayReadSecrets } from '../../../service/access/may.ts';
import { standingInSpace } from '../../../service/access/standing.ts';
import type { App } from '../../../service/resources/apps.ts';
import { type Build, listBuilds } from '../../../service/resources/builds.ts';
import { detectedCommand } from '../../../service/resources/detected-command.ts';
import { type Droplet, listDroplets } from '../../../service/resources/droplets.ts';
import { processesOf } from '../../../service/resources/processes.ts';
import type { LifecycleType } from '../../../service/state/schema-apps.ts';
import { redactUrls } from '../../../staging/logs/redact.ts';
import { route } from '../route/define-route.ts';
import { ByGuid } from '../route/params.ts';
import type { CallContext } from '../route/route.ts';
import { visibleApp } from '../v3/apps/find.ts';
import { presentProcess } from '../v3/processes/present.ts';
import { answerPage, PAGE } from './layout.ts';
import { newestFirst, PageNumber, pagesOf } from './paging.ts';
import { bytes, chosen, code, duration, facts, grid, pager, state, time } from './parts.ts';

export const appPage = route({
  method: 'GET',
  path: '/apps/:guid',
  summary: 'Show an app',
  access: 'signed-in',
  params: ByGuid,
  query: z.object({ page: PageNumber }),
  answers: PAGE,
  handle: async (call) => {
    const app = await visibleApp(call, call.params.guid);
    const main = html`<h1>!${chosen(app.name)}</h1>
      !${factsOf(app)}
      !${await processes(call, app)}
      !${await builds(call, app, call.query.page)}
      !${await droplets(call, app)}`;
    return answerPage(call, { title: app.name, main });
  },
});

function factsOf(app: App): string {
  return facts([
    ['Lifecycle', app.lifecycle_type],
    ['Buildpacks', namedBuildpacks(app.lifecycle_type, app.buildpacks)],
    ['Stack', app.lifecycle_type === 'docker' ? '–' : chosen(app.stack ?? 'default')],
    ['Created', time(app.created_at)],
    ['Guid', code(app.guid)],
  ]);
}

/** Those that somebody named. */
export function namedBuildpacks(lifecycle: LifecycleType, names: readonly string[]): string {
  if (lifecycle === 'docker') return '–';
  return names.length === 0 ? 'detected' : list(names.map(redactUrls));
}

/** Names in a row. */
export function list(names: readonly string[]): string {
  return names.map(chosen).join(', ');
}

async function processes({ caller, service, base }: CallContext, app: App): Promise<string> {
  const { queries } = service.database;
  const standing = await standingInSpace(queries, caller, app.space_guid);
  const command = mayReadSecrets(standing) ? 'shown' : 'hidden';
  const rows = [];
  for (const row of await processesOf(queries, app.guid)) {
    const detected = await detectedCommand(queries, app, row.type);
    const shown = presentProcess(row, { base, command, detected });
    rows.push([
      chosen(shown.type),
      shown.command === null ? '–' : code(shown.command),
      String(shown.instances),
      `${shown.memory_in_mb} MB`,
      `${shown.disk_in_mb} MB`,
    ]);
  }
  const columns = ['Type', 'Command', 'Instances', 'Memory', 'Disk'];
  return html`<h2>Processes</h2>
    !${grid({ caption: 'Processes', columns, rows, none: 'It has no processes.' })}`;
}

async function builds({ caller, service }: CallContext, { guid }: App, page: number): Promise<string> {
  const by = { filters: { app_guids: [guid] }, paging: newestFirst(page) };
  const found = await listBuilds(service.database.queries, caller, by);
  const columns = ['Build', 'State', 'Started', 'Took', 'By'];
  return html`<h2>Builds</h2>
    !${grid({ caption: 'Builds', columns, rows: found.rows.map(buildRow), none: 'It has never been staged.' })}
    !${pager({ page, pages: pagesOf(found) }, (at) => `/apps/${guid}?page=${at}`, 'builds')}`;
}

function buildRow(build: Build): readonly string[] {
  return [
    html`<a href="/builds/${build.guid}">${build.guid.slice(0, 8)}</a>`,
    state(build.state),
    time(build.created_at),
    duration(build.claimed_at ?? build.created_at, build.finished_at),
    chosen(build.created_by.name ?? build.created_by.guid),
  ];
}

async function droplets({ caller, service }: CallContext, app: App): Promise<string> {
  const by = { filters: { app_guids: [app.guid] }, paging: newestFirst(1) };
  const { rows } = await listDroplets(service.database.queries, caller, by);
  const columns = ['Droplet', 'State', 'Created', 'Size', 'Buildpacks'];
  const shown = rows.map((row) => dropletRow(row, app));
  return html`<h2>Droplets</h2>
    !${grid({ caption: 'Droplets', columns, rows: shown, none: 'It has no droplets.' })}`;
}

function dropletRow(droplet: Droplet, app: App): readonly string[] {
  const current = droplet.guid === app.current_droplet_guid ? ' (current)' : '';
  return [
    html`<a href="/droplets/${droplet.guid}">${droplet.guid.slice(0, 8)}</a>${current}`,
    state(droplet.state),
    time(droplet.created_at),
    bytes(droplet.size_in_bytes),
    list(droplet.buildpacks.map(({ name }) => redactUrls(name))),
  ];
}
