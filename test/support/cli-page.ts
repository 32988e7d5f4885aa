import { SETTINGS } from '../../src/config/schema.ts';
import type { Setting } from '../../src/config/setting.ts';

const BEGIN = '<!-- settings: made by scripts/docs.ts -->';
const END = '<!-- end of settings -->';

/** docs/cli.md with its table of settings made again. */
export function cliPage(page: string): string {
  const before = page.slice(0, page.indexOf(BEGIN) + BEGIN.length);
  const after = page.slice(page.indexOf(END));
  return `${before}\n\n${settingsTable()}\n\n${after}`;
}

function settingsTable(): string {
  const rows: readonly [string, Setting][] = Object.entries(SETTINGS);
  const lines = rows.map(([key, row]) => {
    const flag = row.flag.replaceAll('|', '\\|');
    return `| \`${flag}\` | \`${key}\` | \`${row.variable}\` | ${row.default ?? ''} | ${row.on.join(', ')} | ${row.help} |`;
  });
  return [
    '| Option | In a config file | Variable | Default | Commands | Meaning |',
    '|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}
