/** `/droplets/:guid`: one droplet with what it starts and how large its folders are. */
import { html } from 'ghtml';
import { z } from 'zod';
import { type Droplet, findDroplet, listDroplets } from '../../../service/resources/droplets.ts';
import { redactUrls } from '../../../staging/logs/redact.ts';
import type { Guid } from '../../../words/ids.ts';
import { formatBytes, formatCount } from '../../../words/units.ts';
import { notFound } from '../route/cf-errors.ts';
import { route } from '../route/define-route.ts';
import { ByGuid } from '../route/params.ts';
import type { CallContext } from '../route/route.ts';
import { visibleApp } from '../v3/apps/find.ts';
import { shownDroplet } from '../v3/droplets/find.ts';
import { list } from './app.ts';
import { foldersSoon, type Measured } from './folders-soon.ts';
import { answerPage, PAGE } from './layout.ts';
import { newestFirst } from './paging.ts';
import { bytes, chosen, code, facts, grid, state, time } from './parts.ts';
import { drawnMap, folderAt, folderTable, pathLinks } from './size-map.ts';

export const dropletPage = route({
  method: 'GET',
  path: '/droplets/:guid',
  summary: 'Show a droplet',
  access: 'signed-in',
  params: ByGuid,
  query: z.object({ folder: z.string().max(4096).default('') }),
  answers: PAGE,
  handle: async (call) => {
    const droplet = await seenDroplet(call, call.params.guid);
    const app = await visibleApp(call, droplet.app_guid);
    // The layers of an image are in its registry.
    const measured =
      droplet.lifecycle_type === 'docker' ? undefined : await foldersSoon(call.service, droplet);
    const title = `Droplet ${droplet.guid.slice(0, 8)}`;
    const main = html`<p class="path"><a href="/apps/${app.guid}">!${chosen(app.name)}</a></p>
      <h1>${title}</h1>
      !${factsOf(droplet)}
      !${await commands(call, droplet)}
      !${measured === undefined ? '' : sizes(droplet, measured, call.query.folder)}
      !${measured === undefined ? '' : await compareForm(call, droplet)}`;
    const headers = measured?.kind === 'later' ? { refresh: '3' } : {};
    return answerPage(call, { title: `${title} of ${app.name}`, main, headers });
  },
});

/** @throws CfError ResourceNotFound when the caller does not see it. */
export async function seenDroplet({ caller, service }: CallContext, guid: Guid): Promise<Droplet> {
  const found = await findDroplet(service.database.queries, caller, guid);
  if (found === undefined) throw notFound('Droplet');
  return found;
}

function factsOf(droplet: Droplet): string {
  const { build_guid: build, error } = droplet;
  const buildpacks = droplet.buildpacks.map(({ name, version }) =>
    version === null ? redactUrls(name) : `${redactUrls(name)} ${version}`,
  );
  return html`!${error === null ? '' : html`<p class="problem">!${chosen(error)}</p>`}
    !${facts([
      ['State', state(droplet.state)],
      ['Size', bytes(droplet.size_in_bytes)],
      ['Created', time(droplet.created_at)],
      ['Build', build === null ? '–' : html`<a href="/builds/${build}">${build.slice(0, 8)}</a>`],
      ['Buildpacks', buildpacks.length === 0 ? '–' : list(buildpacks)],
      ['Stack', chosen(droplet.stack ?? '–')],
      ...(droplet.image === null ? [] : [['Image', code(droplet.image)] as const]),
      ['sha256', code(droplet.sha256 ?? '–')],
      ['Guid', code(droplet.guid)],
    ])}`;
}

/** As the API shows them: whoever may not read them sees that they are hidden. */
async function commands(call: CallContext, { guid }: Droplet): Promise<string> {
  const { process_types } = await shownDroplet(call, guid);
  const rows = Object.entries(process_types ?? {}).map(([type, command]) => [chosen(type), code(command)]);
  const none = 'It has no process types.';
  return html`<h2>Process types</h2>
    !${grid({ caption: 'Process types', columns: ['Type', 'Command'], rows, none })}`;
}

function sizes({ guid }: Droplet, measured: Measured, wanted: string): string {
  const title = html`<h2>Folder sizes</h2>`;
  if (measured.kind === 'later')
    return html`!${title}<p role="status">Its folders are being read. This page will refresh.</p>`;
  if (measured.kind === 'failed') return html`!${title}<p class="none">!${chosen(measured.why)}</p>`;
  const { folder, path } = folderAt(measured.root, wanted);
  const to = (at: string): string => `/droplets/${guid}?folder=${encodeURIComponent(at)}`;
  return html`!${title}!${pathLinks(path, to)}
    <p>${formatBytes(folder.bytes)} in ${formatCount(folder.files, 'file')}, unpacked.</p>
    !${folder.folders.length === 0 ? '' : drawnMap(folder, path, to)}
    !${folderTable(folder, path, to)}`;
}

async function compareForm({ caller, service }: CallContext, droplet: Droplet): Promise<string> {
  const by = { filters: { app_guids: [droplet.app_guid] }, paging: newestFirst(1) };
  const { rows } = await listDroplets(service.database.queries, caller, by);
  const others = rows.filter(({ guid, content_key }) => guid !== droplet.guid && content_key !== null);
  if (others.length === 0) return '';
  const options = others.map(
    ({ guid, created_at, size_in_bytes: size }) =>
      html`<option value="${guid}">${guid.slice(0, 8)}, ${created_at.toISOString().slice(0, 16).replace('T', ' ')} UTC, ${formatBytes(size ?? 0)}</option>`,
  );
  return html`<h2>Compare</h2>
    <form class="tools" method="get" action="/droplets/${droplet.guid}/diff">
      <label for="from">What grew since</label>
      <select id="from" name="from">!${options}</select>
      <button>Compare</button>
    </form>`;
}
