import { ROUTES } from '../../src/doors/http/all-routes.ts';
import { fieldTable } from './compatibility-fields.ts';

/** docs/cf-compatibility.md with its tables of endpoints and fields made again. */
export function compatibilityPage(page: string): string {
  return filled(filled(page, 'endpoints', endpoints()), 'fields', fieldTable(ROUTES));
}

/** The page with what stands between the marks of a table replaced. */
function filled(page: string, name: string, table: string): string {
  const begin = `<!-- ${name}: made by scripts/docs.ts -->`;
  const end = `<!-- end of ${name} -->`;
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no place for ${name}`);
  return `${page.slice(0, from + begin.length)}\n\n${table}\n\n${page.slice(to)}`;
}

/** A route that declares no answer but failures refuses whoever may ask. */
function endpoints(): string {
  const rows = ROUTES.map(({ method, path, summary, answers }) => {
    const word = Object.keys(answers).length === 0 || summary.startsWith('Refused') ? 'refused' : 'supported';
    return { path, line: `| ${method} | \`${path}\` | ${word} | ${summary} |` };
  }).toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return ['| method | path | | |', '|---|---|---|---|', ...rows.map(({ line }) => line)].join('\n');
}
