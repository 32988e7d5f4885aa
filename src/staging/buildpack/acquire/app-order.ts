/**
 * Buildpacks and variables that a Heroku app names itself: `.buildpacks`, and `buildpacks` and `env` of app.json
 * (buildpack-contracts.md 4.6, 4.7). They count only where the staging is Heroku's: a Cloud Foundry app that carries an
 * app.json is detected as always.
 */
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { MAX_SMALL_BYTES, type SmallFile } from '../../../machine/host/read-small.ts';
import { StagerError } from '../../../words/errors.ts';
import { parseJson } from '../../../words/json.ts';
import type { Source, SourceEntry } from '../../source/entry.ts';
import type { BuildpackApi } from '../contract/family.ts';
import { parseReference, type Reference } from '../contract/reference.ts';

/** What the app asks for. */
export interface AppWishes {
  /** References in order; empty when the app names none. */
  readonly buildpacks: readonly string[];
  /** The file that named them. */
  readonly from?: '.buildpacks' | 'app.json';
  /** Defaults of config vars; variables that are set win. */
  readonly env: Readonly<Record<string, string>>;
}

const NO_WISHES: AppWishes = { buildpacks: [], env: {} };

/** Whether the files of a Heroku app count: by `--buildpack-api heroku` or by the stack. */
export function isHerokuStaging(stack: string, api: BuildpackApi | undefined): boolean {
  return api === 'heroku' || (api === undefined && stack.startsWith('heroku-'));
}

/**
 * Reads the wishes of an app that is not unpacked yet. `.buildpacks` wins over app.json.
 *
 * @throws StagerError SOURCE_ARCHIVE_INVALID when app.json is not valid, SOURCE_UNSAFE for a buildpack that
 * an app can't choose.
 */
export async function sourceWishes(
  source: Pick<Source, 'entries'>,
  io: { readonly signal: AbortSignal },
): Promise<AppWishes> {
  const found = new Map<string, SmallFile>();
  for await (const entry of source.entries(io)) {
    if (entry.path !== '.buildpacks' && entry.path !== 'app.json') continue;
    found.set(entry.path, await smallEntry(entry));
    if (found.size === 2) break;
  }
  const absent = { kind: 'absent' } as const;
  return wishesOf({ list: found.get('.buildpacks') ?? absent, appJson: found.get('app.json') ?? absent });
}

async function smallEntry(entry: SourceEntry): Promise<SmallFile> {
  if (entry.kind !== 'file') return { kind: 'unusable', reason: 'not a regular file' };
  if (entry.sizeBytes > MAX_SMALL_BYTES) {
    return { kind: 'unusable', reason: `${entry.sizeBytes} bytes, the limit is ${MAX_SMALL_BYTES}` };
  }
  const content = await entry.open?.();
  return content === undefined ? { kind: 'absent' } : { kind: 'text', text: await text(content) };
}

function wishesOf(files: { readonly list: SmallFile; readonly appJson: SmallFile }): AppWishes {
  const app = readAppJson(files.appJson);
  const listed = files.list.kind === 'text' ? parseBuildpacksFile(files.list.text) : [];
  const wishes: AppWishes = listed.length > 0 ? { ...app, buildpacks: listed, from: '.buildpacks' } : app;
  for (const text of wishes.buildpacks) refuseUnsafe(text, wishes.from ?? 'app.json');
  return wishes;
}

/**
 * Whoever runs stager did not choose these: a directory of this machine would end up in the droplet, and so would a
 * repository that only the machine's ssh keys open.
 */
function refuseUnsafe(text: string, path: string): void {
  const reference = parseReference(text, { cwd: '/' });
  if (isPublic(reference)) return;
  throw new StagerError(
    'SOURCE_UNSAFE',
    `${path} names the buildpack ${reference.key}, which an app can't choose`,
    {
      next: `Write an https or git URL or the name of an installed buildpack into ${path}, or give it with --buildpack.`,
      details: { path, buildpack: reference.key },
    },
  );
}

function isPublic(reference: Reference): boolean {
  switch (reference.kind) {
    case 'installed':
    case 'url':
      return true;
    case 'git':
      return /^(?:https?|git):\/\//.test(reference.address.url);
    case 'directory':
    case 'file':
      return false;
  }
}

/** One reference a line (hk-multi: blank-separated); comments, blank lines and CR don't count. */
function parseBuildpacksFile(content: string): readonly string[] {
  return content
    .split(/\r\n|\n|\r/)
    .map((line) => line.replace(/(^|\s)#.*$/, ''))
    .flatMap((line) => line.split(/\s+/))
    .filter((word) => word !== '')
    .map(referenceOf);
}

const appJson = z.looseObject({
  buildpacks: z.array(z.object({ url: z.string() })).optional(),
  env: z
    .record(
      z.string(),
      z.union([
        z.string(),
        z.looseObject({ value: z.union([z.string(), z.number(), z.boolean()]).optional() }),
      ]),
    )
    .optional(),
});

function readAppJson(file: SmallFile): AppWishes {
  if (file.kind === 'absent') return NO_WISHES;
  const parsed = file.kind === 'text' ? appJson.safeParse(parseJson(file.text)) : undefined;
  if (parsed?.success !== true) {
    const reason = file.kind === 'unusable' ? file.reason : (parsed?.error?.issues[0]?.message ?? 'no JSON');
    throw new StagerError('SOURCE_ARCHIVE_INVALID', `app.json can't be used: ${reason}`, {
      next: 'Correct or remove it.',
      details: { path: 'app.json', reason },
    });
  }
  const { buildpacks = [], env = {} } = parsed.data;
  const values = Object.entries(env).flatMap(([name, it]): readonly (readonly [string, string])[] => {
    const value = typeof it === 'string' ? it : it.value;
    return value === undefined ? [] : [[name, String(value)]];
  });
  return {
    buildpacks: buildpacks.map(({ url }) => referenceOf(url)),
    ...(buildpacks.length > 0 && { from: 'app.json' }),
    env: Object.fromEntries(values),
  };
}

/** Heroku's short names: `heroku/nodejs`, `urn:buildpack:heroku/nodejs` → the repository behind them. */
function referenceOf(word: string): string {
  const [, owner, name] = /^(?:urn:buildpack:)?(heroku|heroku-community)\/([a-z0-9-]+)$/.exec(word) ?? [];
  if (owner === undefined || name === undefined) return word;
  return `https://github.com/heroku/heroku-buildpack-${name}`;
}
