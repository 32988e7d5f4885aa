/** `/droplets/:guid/diff`: what grew from one droplet to another. */
import { html } from 'ghtml';
import { z } from 'zod';
import type { Folder } from '../../../service/state/schema-page.ts';
import { formatBytes } from '../../../words/units.ts';
import { route } from '../route/define-route.ts';
import { ByGuid, GuidText } from '../route/params.ts';
import { seenDroplet } from './droplet.ts';
import { foldersSoon } from './folders-soon.ts';
import { answerPage, PAGE } from './layout.ts';
import { bytes, chosen, grid } from './parts.ts';

/** Rows that are shown. */
const MOST = 50;

export const dropletDiffPage = route({
  method: 'GET',
  path: '/droplets/:guid/diff',
  summary: 'Compare the folders of two droplets',
  access: 'signed-in',
  params: ByGuid,
  query: z.object({ from: GuidText }),
  answers: PAGE,
  handle: async (call) => {
    const to = await seenDroplet(call, call.params.guid);
    const from = await seenDroplet(call, call.query.from);
    const before = await foldersSoon(call.service, from);
    const after = await foldersSoon(call.service, to);
    const [was, is] = [from.guid.slice(0, 8), to.guid.slice(0, 8)];
    const title = `From ${was} to ${is}`;
    const head = html`<p class="path"><a href="/droplets/${from.guid}">Droplet ${was}</a>
        · <a href="/droplets/${to.guid}">Droplet ${is}</a></p>
      <h1>What grew ${title.replace('From', 'from')}</h1>`;
    if (before.kind === 'known' && after.kind === 'known') {
      return answerPage(call, { title, main: html`!${head}!${compared(before.root, after.root)}` });
    }
    const failed = [before, after].find(({ kind }) => kind === 'failed');
    const text =
      failed?.kind === 'failed'
        ? chosen(failed.why)
        : 'Their folders are being read. This page will refresh.';
    const main = html`!${head}<p role="status">!${text}</p>`;
    return answerPage(call, { title, main, headers: failed === undefined ? { refresh: '3' } : {} });
  },
});

interface Change {
  readonly path: string;
  readonly before: number;
  readonly after: number;
}

function compared(before: Folder, after: Folder): string {
  const changes = sizeChanges(before, after);
  const most = Math.max(1, ...changes.map(sizeOf));
  const rows = changes
    .slice(0, MOST)
    .map((change) => [
      chosen(change.path === '' ? '(files in the root)' : change.path),
      html`<data value="${change.after - change.before}">${signed(change.after - change.before)}</data>`,
      bytes(change.before),
      bytes(change.after),
      drawn(change, most),
    ]);
  const grew = after.bytes - before.bytes;
  const columns = ['Folder', 'Change', 'Before', 'After', 'Chart'];
  return html`<p>Unpacked, it has ${formatBytes(after.bytes)}; before, it had ${formatBytes(before.bytes)}: ${signed(grew)}.
      The size of a folder is that of the files directly in it, without its subfolders.</p>
    !${grid({ caption: 'Changes', columns, rows, none: 'No folder has changed in size.' })}`;
}

/** The largest first. Exported for its test. */
export function sizeChanges(before: Folder, after: Folder): readonly Change[] {
  const [was, is] = [ownSizes(before), ownSizes(after)];
  const paths = new Set([...was.keys(), ...is.keys()]);
  return [...paths]
    .map((path) => ({ path, before: was.get(path) ?? 0, after: is.get(path) ?? 0 }))
    .filter((change) => change.before !== change.after)
    .sort((a, b) => sizeOf(b) - sizeOf(a));
}

/** Bytes of the files in each folder itself. */
function ownSizes(root: Folder): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  const visit = ({ bytes: all, folders }: Folder, path: string): void => {
    sizes.set(path, all - folders.reduce((sum, each) => sum + each.bytes, 0));
    for (const each of folders) visit(each, path === '' ? each.name : `${path}/${each.name}`);
  };
  visit(root, '');
  return sizes;
}

function sizeOf({ before, after }: Change): number {
  return Math.abs(after - before);
}

function signed(change: number): string {
  return `${change < 0 ? '−' : '+'}${formatBytes(Math.abs(change))}`;
}

function drawn(change: Change, most: number): string {
  const width = Math.max(1, (sizeOf(change) / most) * 100);
  return html`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">
    <rect class="${change.after > change.before ? 'grew' : 'shrank'}" width="${width.toFixed(1)}" height="8"/>
  </svg>`;
}
