/** `stager files`: what would be sent, or which rule decided for one path. */

import type { IgnoreLine } from '../../../staging/source/ignore.ts';
import { printable } from '../../../staging/source/refusals.ts';
import { formatBytes, formatCount } from '../../../words/units.ts';
import {
  type Explanation,
  type FilesOptions,
  type SentEntry,
  sentEntries,
  whyIgnored,
} from '../../../workshop/files.ts';
import type { Context } from '../input/context.ts';

/** Lists to stdout; the totals go to stderr, so that lines can be counted and sorted. */
export async function filesCommand(context: Context): Promise<number> {
  const { config, output, signal, args, flags } = context;
  const source = typeof args[0] === 'string' ? args[0] : '.';
  const options: FilesOptions = {
    ignoreStyle: config.settings.ignoreStyle,
    tempRoot: config.cacheHome,
    signal,
    onUnusable: (line) => {
      if (output.quiet) return;
      output.note(
        `warning ${lineOf(line)} is not a valid pattern and has no effect: ${printable(line.text)}`,
      );
    },
  };
  const { explain } = flags;
  if (typeof explain === 'string') {
    const found = await whyIgnored(source, explain, options);
    if (output.json) output.object(found);
    else output.line(sentence(found));
    return 0;
  }
  for await (const file of sentEntries(source, options)) {
    if (output.json) output.object(inOctal(file));
    else if (file.type !== 'totals') output.line(row(file));
    else if (!output.quiet) output.note(totals(file));
  }
  return 0;
}

function row(file: Exclude<SentEntry, { type: 'totals' }>): string {
  const name = printable(file.path);
  switch (file.type) {
    case 'file':
      return `${octal(file.mode)} ${String(file.sizeBytes).padStart(10)} ${name}`;
    case 'directory':
      return `${octal(file.mode)} ${'-'.padStart(10)} ${name}/`;
    case 'symlink':
      return `link ${'-'.padStart(10)} ${name} -> ${printable(file.target)}`;
  }
}

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');

function inOctal(file: SentEntry): unknown {
  return 'mode' in file ? { ...file, mode: octal(file.mode) } : file;
}

function totals(file: Extract<SentEntry, { type: 'totals' }>): string {
  const counts = [
    formatCount(file.files, 'file'),
    formatCount(file.directories, 'directory', 'directories'),
    ...(file.symlinks === 0 ? [] : [formatCount(file.symlinks, 'link')]),
  ];
  return [...counts, formatBytes(file.sizeBytes)].join(', ');
}

function sentence({ path, exists, ignored, rule, because }: Explanation): string {
  const verdict = `${printable(path)} ${ignored ? 'is left out' : exists ? 'is sent' : 'would be sent'}`;
  const absent = exists ? '' : ' (the source has no such entry)';
  if (rule === undefined) return `${verdict}: no rule matches it${absent}`;
  const through = because === undefined ? '' : `, which leaves out ${printable(because)} as a whole`;
  return `${verdict}: ${lineOf(rule)} says ${printable(rule.text)}${through}${absent}`;
}

function lineOf({ from, line }: IgnoreLine): string {
  return from.endsWith(' list') ? `the ${from}` : `${printable(from)} line ${line}`;
}
