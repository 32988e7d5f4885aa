import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeDatabase } from '../support/database.ts';

const folder = fileURLToPath(new URL('../../../src/service/state', import.meta.url));

describeDatabase('the types of the tables', (database) => {
  it('have the columns that the migrations make, and null where these allow it', async () => {
    const { rows } = await database().run(
      `select table_name, column_name, is_nullable from information_schema.columns
       where table_schema = current_schema() and table_name not like 'kysely%'
         and table_name not in (select viewname from pg_views where schemaname = current_schema())`,
    );
    const made = rows.map((row) => {
      const { table_name, column_name, is_nullable } = Object(row);
      return `${table_name}.${column_name}${is_nullable === 'YES' ? '?' : ''}`;
    });
    expect(declared()).toEqual(made.toSorted());
  });
});

/** `table.column`, with `?` where it may be null, as the interfaces in schema-*.ts say. */
function declared(): string[] {
  const text = ['columns.ts', ...globSync('schema-*.ts', { cwd: folder })]
    .map((name) => readFileSync(`${folder}/${name}`, 'utf8'))
    .join('\n')
    .replace(/\/\*\*.*?\*\//gs, '')
    // A field of a jsonb document may be null where the column is not.
    .replace(/<\{[^}]*\}>/gs, '');
  const interfaces = new Map(
    [...text.matchAll(/interface (\w+)(?:\s+extends ([^{]+?))?\s*\{(.*?)\n\}/gs)].map(
      ([, name = '', parents = '', body = '']) => [name, { parents, body }],
    ),
  );
  const columnsOf = (name: string): string[] => {
    const { parents, body } = interfaces.get(name) ?? { parents: '', body: '' };
    const own = [...body.matchAll(/^ {2}(\w+): (.*);$/gm)].map(
      ([, column, type = '']) => `${column}${/\| null\b/.test(type) ? '?' : ''}`,
    );
    const names = new Set(own.map((column) => column.replace('?', '')));
    const inherited = ['ResourceColumns', 'MetadataColumns'].flatMap((parent) =>
      parents.includes(parent) ? columnsOf(parent) : [],
    );
    return [...own, ...inherited.filter((column) => !names.has(column))];
  };
  const tables = [
    'TenancyTables',
    'AppTables',
    'PlatformTables',
    'WorkerTables',
    'PageTables',
    'OperationTables',
  ].flatMap((name) => [...(interfaces.get(name)?.body ?? '').matchAll(/^ {2}(\w+): (\w+);$/gm)]);
  return tables
    .flatMap(([, table, type = '']) => columnsOf(type).map((column) => `${table}.${column}`))
    .toSorted();
}
