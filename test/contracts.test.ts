/** What comments and test names cite of docs/contracts/ is there: every section, and every case of the checklist. */
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CONTRACTS = join(ROOT, 'docs/contracts');
const CITING = ['src', 'test', 'bench', 'scripts', 'buildpacks'].map((it) => `${it}/**/*.ts`);
const SELF = 'test/contracts.test.ts';

/** A section number behind a page's name, and what may stand between several of them. */
const NUMBER = String.raw`#?\d+(?:\.\d+)*`;
const CITATION = new RegExp(
  String.raw`([a-z][a-z-]*\.md)((?:,? sections?)? ${NUMBER}(?:(?:, | and | to | or )${NUMBER})*)?`,
  'g',
);

/** A place of a page that some file names; without a section, the page as a whole. */
interface Citation {
  readonly file: string;
  readonly page: string;
  readonly section: string | undefined;
}

/** Citations in `text`, those that go on in the next line of a comment included. */
function citationsOf(file: string, text: string): readonly Citation[] {
  const joined = text.replaceAll(/\s*\n\s*(?:\*|\/\/)(?!\/)\s*/g, ' ');
  return [...joined.matchAll(CITATION)].flatMap(([, page = '', numbers]): readonly Citation[] => {
    const sections = [...(numbers ?? '').matchAll(new RegExp(NUMBER, 'g'))].map(([it]) => it);
    if (sections.length === 0) return [{ file, page, section: undefined }];
    return sections.filter((it) => !it.startsWith('#')).map((section) => ({ file, page, section }));
  });
}

const pages = readdirSync(CONTRACTS).filter((it) => it !== 'README.md');
const sections = new Map(
  pages.map((page) => {
    const headings = readFileSync(join(CONTRACTS, page), 'utf8').matchAll(/^#{2,4} (\d+(?:\.\d+)*)\.? /gm);
    return [page, new Set([...headings].map(([, number = '']) => number))];
  }),
);
const files = globSync([...CITING, 'docs/*.md'], {
  cwd: ROOT,
  exclude: (path) => path.includes('node_modules') || path.endsWith('/dist'),
}).filter((it) => it !== SELF);
const citations = files.flatMap((file) => citationsOf(file, readFileSync(join(ROOT, file), 'utf8')));

/** What is cited with a section and is not a page of contracts would be one that is missing. */
function missingOf(cited: readonly Citation[]): readonly string[] {
  return cited.flatMap(({ file, page, section }) => {
    if (section === undefined || sections.get(page)?.has(section) === true) return [];
    return [`${file}: ${page} ${section}`];
  });
}

describe('docs/contracts', () => {
  it('has every section that is cited', () => {
    expect(citations.filter((it) => it.section !== undefined).length).toBeGreaterThan(60);
    expect(missingOf(citations)).toEqual([]);
  });

  it('would miss a section that is not there, also behind a line break', () => {
    const text =
      '/**\n * As there (buildpack-contracts.md 1.1, 99.1;\n * staging-internals.md\n * 98.7 to 98.9).\n */';
    expect(missingOf(citationsOf('x.ts', text))).toEqual([
      'x.ts: buildpack-contracts.md 99.1',
      'x.ts: staging-internals.md 98.7',
      'x.ts: staging-internals.md 98.9',
    ]);
  });

  it('has every case that the name of a test carries', () => {
    const checklist = readFileSync(join(CONTRACTS, 'buildpack-contracts.md'), 'utf8');
    const listed = new Set(
      [...checklist.matchAll(/^\| (\d+) \| .+ \| .+ \|$/gm)].map(([, it]) => Number(it)),
    );
    const named = files.flatMap((file) => {
      const names = readFileSync(join(ROOT, file), 'utf8').matchAll(
        /\b(?:it|test)\(\s*['`](#\d+(?: #\d+)*) /g,
      );
      return [...names].flatMap(([, it = '']) => it.split(' ').map((number) => Number(number.slice(1))));
    });
    expect(named.length).toBeGreaterThan(60);
    expect(named.filter((it) => !listed.has(it))).toEqual([]);
  });

  it('cites pages of its own that are there', () => {
    const own = pages.flatMap((page) => citationsOf(page, readFileSync(join(CONTRACTS, page), 'utf8')));
    expect(missingOf(own)).toEqual([]);
  });
});
