/** Which Node an app asks for: engines.node, then .nvmrc, then .node-version, then the manifest's default. */
import { join } from 'node:path';
import { BuildpackFailure, type Log, normaliseRange } from '../../kit/index.ts';
import { type App, readText } from './package-json.ts';

/** Code names of the long-term support lines, in the order of their age. */
const LTS = { hydrogen: '18.x', iron: '20.x', jod: '22.x', krypton: '24.x' } as const;

/**
 * The range to resolve, or undefined for the default. Warns where the request is missing, too wide or stated twice.
 *
 * @throws BuildpackFailure for text that is not a version, range or known alias.
 */
export async function nodeRange(app: App, log: Log): Promise<string | undefined> {
  const wanted = await request(app);
  if (wanted === undefined) {
    log.warning('The app does not say which Node it needs. Set engines.node in package.json.');
    return undefined;
  }
  if (wanted.source !== 'engines.node' && app.json.engines['node'] !== undefined) {
    log.warning(`engines.node is used; ${wanted.source} is ignored.`);
  }
  log.info(`${wanted.source} asks for ${wanted.text}`);
  if (/^(\*|latest|node|>=?\s*v?\d+(\.\d+)*)$/.test(wanted.text)) {
    log.warning(`"${wanted.text}" allows any later major version of Node. Use a line such as 24.x.`);
  }
  return rangeOf(wanted.text, wanted.source);
}

async function request(app: App): Promise<{ text: string; source: string } | undefined> {
  const engine = app.json.engines['node']?.trim();
  if (engine !== undefined && engine !== '') return { text: engine, source: 'engines.node' };
  for (const source of ['.nvmrc', '.node-version']) {
    const lines = (await readText(join(app.dir, source)))?.split('\n') ?? [];
    const text = lines.map((line) => line.replace(/#.*/, '').trim()).find((line) => line !== '');
    if (text !== undefined) return { text, source };
  }
  return undefined;
}

/** Aliases of nvm as ranges: `node`, `stable`, `lts/*`, `lts/jod`, `lts/-1`; `22`, `v22.1` and ranges as they are. */
export function rangeOf(text: string, source: string): string {
  const lower = text.toLowerCase();
  if (['node', 'stable', 'current', 'latest'].includes(lower)) return '*';
  const alias = /^lts\/(.+)$/.exec(lower)?.[1];
  if (alias !== undefined || lower === 'lts') return ltsLine(alias ?? '*', text, source);
  if (normaliseRange(text) !== undefined) return text;
  throw new BuildpackFailure(`${source} asks for "${text}", which is not a version of Node`, {
    next: 'Write a version (24.21.0), a range (24.x, ^22.12) or an alias (lts/*, lts/jod).',
  });
}

function ltsLine(alias: string, text: string, source: string): string {
  const oldestFirst = Object.entries(LTS);
  const back = alias === '*' ? 0 : /^-(\d+)$/.exec(alias)?.[1];
  const found =
    back === undefined ? oldestFirst.find(([name]) => name === alias) : oldestFirst.at(-1 - Number(back));
  if (found !== undefined) return found[1];
  throw new BuildpackFailure(
    `${source} asks for "${text}", a release line that this buildpack does not know`,
    {
      next: `Known: lts/*, ${oldestFirst.map(([name]) => `lts/${name}`).join(', ')}.`,
    },
  );
}
