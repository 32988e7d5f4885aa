/** Columns of text for people. */
import { stripVTControlCharacters } from 'node:util';

/** Rows as lines: columns padded to their widest cell, two blanks between, nothing after the last. */
export function table(rows: readonly (readonly string[])[], indent = ''): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, width(cell));
    });
  }
  return rows.map((row) => {
    const cells = row.map((cell, column) =>
      column === row.length - 1 ? cell : cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - width(cell))),
    );
    return `${indent}${cells.join('  ')}`.trimEnd();
  });
}

/** Rows of which only the first has the label. */
export function labelled(label: string, lines: readonly string[]): string[][] {
  return lines.map((line, index) => [index === 0 ? label : '', line]);
}

function width(text: string): number {
  return stripVTControlCharacters(text).length;
}
