import { ROUTES } from '../../src/doors/http/all-routes.ts';

const BEGIN = '<!-- endpoints: made by scripts/docs.ts -->';
const END = '<!-- end of endpoints -->';

/** docs/cf-compatibility.md with its table of endpoints made anew. */
export function compatibilityPage(page: string): string {
  const before = page.slice(0, page.indexOf(BEGIN) + BEGIN.length);
  const after = page.slice(page.indexOf(END));
  return `${before}\n\n${endpoints()}\n\n${after}`;
}

/** A route that declares no answer but failures refuses whoever may ask. */
function endpoints(): string {
  const rows = ROUTES.map(({ method, path, summary, answers }) => {
    const word = Object.keys(answers).length === 0 ? 'refused' : 'supported';
    return { path, line: `| ${method} | \`${path}\` | ${word} | ${summary} |` };
  }).toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return ['| method | path | | |', '|---|---|---|---|', ...rows.map(({ line }) => line)].join('\n');
}
