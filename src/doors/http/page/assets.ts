/** Style, script and icon: files next to this one, at addresses that change with their content. */
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { sha256OfBytes } from '../../../words/digest.ts';
import { notFound } from '../route/cf-errors.ts';
import { route } from '../route/define-route.ts';

const TYPES = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;

interface Asset {
  readonly path: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/** In a bundle, this file is one of parts/, and the files are in a folder beside that. */
const assets: ReadonlyMap<string, Asset> = new Map(
  Object.entries(TYPES).map(([name, type]) => {
    const bytes = readFileSync(new URL(`../page/${name}`, import.meta.url));
    return [name, { type, bytes, path: `/assets/${sha256OfBytes(bytes).slice(0, 12)}/${name}` }];
  }),
);

/** The address of one. */
export function assetPath(name: keyof typeof TYPES): string {
  return assets.get(name)?.path ?? '';
}

export const asset = route({
  method: 'GET',
  path: '/assets/:digest/:name',
  summary: 'Get the style, script or icon of the pages',
  access: 'anyone',
  params: z.object({ digest: z.string(), name: z.string() }),
  answers: { 200: 'bytes' },
  handle: async ({ params }) => {
    const found = assets.get(params.name);
    if (found === undefined || found.path !== `/assets/${params.digest}/${params.name}`)
      throw notFound('File');
    const headers = { 'content-type': found.type, 'cache-control': 'public, max-age=31536000, immutable' };
    return { status: 200, stream: Readable.from([found.bytes]), headers };
  },
});
