/** The folders of a droplet as a treemap of two levels, and as the table that says the same. */
import { type HierarchyRectangularNode, hierarchy, treemap } from 'd3-hierarchy';
import { html } from 'ghtml';
import type { Folder } from '../../../service/state/schema-page.ts';
import { formatBytes } from '../../../words/units.ts';
import { bytes, chosen, grid } from './parts.ts';
import { seen } from './styled-text.ts';

/** Units of the drawing, which is as wide as the page. */
const WIDTH = 1000;
const HEIGHT = 420;
const TITLE = 18;
/** Of a letter; narrower rectangles have no name. */
const LETTER = 7;
const COLOURS = 6;
/** Rows of the table. */
const MOST_ROWS = 200;

/** Where a folder's map is: names joined by slashes. */
export type MapAddress = (path: string) => string;

/** The folder at `path`; the nearest above it when there is none. */
export function folderAt(root: Folder, path: string): { readonly folder: Folder; readonly path: string } {
  let folder = root;
  const names: string[] = [];
  for (const name of path.split('/')) {
    const below = folder.folders.find((each) => each.name === name);
    if (below === undefined) break;
    folder = below;
    names.push(name);
  }
  return { folder, path: names.join('/') };
}

interface Box {
  readonly name: string;
  /** Undefined: files in the folder itself, and what is too small to be kept. */
  readonly path?: string;
  readonly bytes: number;
  readonly boxes: readonly Box[];
}

function boxOf({ name, bytes: all, folders }: Folder, path: string, levels: number): Box {
  if (levels === 0) return { name, path, bytes: all, boxes: [] };
  const boxes = folders.map((each) => boxOf(each, joined(path, each.name), levels - 1));
  const own = all - folders.reduce((sum, each) => sum + each.bytes, 0);
  const files = own > 0 && boxes.length > 0 ? [{ name: 'files', bytes: own, boxes: [] }] : [];
  return { name, path, bytes: all, boxes: [...boxes, ...files] };
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

export function drawnMap(folder: Folder, path: string, to: MapAddress): string {
  const root = hierarchy(boxOf(folder, path, 2), ({ boxes }) => boxes)
    .sum(({ boxes, bytes: own }) => (boxes.length === 0 ? own : 0))
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
  const placed = treemap<Box>()
    .size([WIDTH, HEIGHT])
    .paddingInner(1)
    .paddingTop(({ depth }) => (depth === 1 ? TITLE : 0))(root);
  const drawn = (placed.children ?? []).flatMap((child, index) =>
    child.descendants().map((node) => rectangle(node, index % COLOURS, to)),
  );
  // The table says the same to who does not see it; its links are the ones of the keyboard.
  return html`<svg class="map" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true" focusable="false">!${drawn}</svg>`;
}

function rectangle(node: HierarchyRectangularNode<Box>, colour: number, to: MapAddress): string {
  const { x0, x1, y0, y1, data } = node;
  const [width, height] = [x1 - x0, y1 - y0];
  if (width < 1 || height < 1) return '';
  const letters = Math.floor((width - 6) / LETTER);
  const name = seen(data.name);
  const label = name.length > letters ? `${name.slice(0, Math.max(0, letters - 1))}…` : name;
  const text =
    letters < 3 || height < 15
      ? ''
      : html`<text x="${(x0 + 4).toFixed(1)}" y="${(y0 + 13).toFixed(1)}">${label}</text>`;
  const shape = html`<rect class="box-${colour}" x="${x0.toFixed(1)}" y="${y0.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}"><title>${name}: ${formatBytes(data.bytes)}</title></rect>!${text}`;
  const goesOn = data.path !== undefined;
  return goesOn ? html`<a href="${to(data.path ?? '')}" tabindex="-1">!${shape}</a>` : shape;
}

export function folderTable(folder: Folder, path: string, to: MapAddress): string {
  const largest = folder.folders.toSorted((a, b) => b.bytes - a.bytes).slice(0, MOST_ROWS);
  const rows = largest.map((each) => [
    html`<a href="${to(joined(path, each.name))}">!${chosen(each.name)}</a>`,
    bytes(each.bytes),
    `${((each.bytes / Math.max(1, folder.bytes)) * 100).toFixed(1)} %`,
    String(each.files),
  ]);
  const columns = ['Folder', 'Size', 'Share', 'Files'];
  return grid({
    caption: 'Folders',
    columns,
    rows,
    none: 'It has no folders that are large enough to show.',
  });
}

/** Links to the folders above. */
export function pathLinks(path: string, to: MapAddress): string {
  const names = path === '' ? [] : path.split('/');
  const links = names.map((name, index) => {
    const here = names.slice(0, index + 1).join('/');
    return html` / <a href="${to(here)}">!${chosen(name)}</a>`;
  });
  return html`<p class="path"><a href="${to('')}">The whole droplet</a>!${links}</p>`;
}
