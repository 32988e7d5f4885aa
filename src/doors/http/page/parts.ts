/** Building blocks of pages. Every function returns HTML; its arguments are text, which it escapes. */
import { html } from 'ghtml';
import { formatBytes, formatDuration } from '../../../words/units.ts';
import { seen } from './styled-text.ts';

/** A name, path or command that somebody chose: apart from what is around it, in whatever direction it is written. */
export function chosen(text: string): string {
  return html`<bdi>${seen(text)}</bdi>`;
}

/** A command or digest. */
export function code(text: string): string {
  return html`<code>${seen(text)}</code>`;
}

/** In UTC; page.js writes it in the reader's zone. */
export function time(at: Date | null): string {
  if (at === null) return '–';
  const iso = at.toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`;
}

export function bytes(count: number | null): string {
  return count === null ? '–' : html`<data value="${count}">${formatBytes(count)}</data>`;
}

export function duration(from: Date | null, to: Date | null): string {
  return from === null || to === null ? '–' : formatDuration(Math.max(0, to.getTime() - from.getTime()));
}

const TONES: Readonly<Record<string, string | undefined>> = {
  STAGED: 'good',
  READY: 'good',
  done: 'good',
  FAILED: 'bad',
  failed: 'bad',
  STAGING: 'busy',
};

/** A word with a colour; the colour says nothing that the word does not. */
export function state(word: string): string {
  return html`<span class="state ${TONES[word] ?? ''}">${word}</span>`;
}

/** Terms and what they are. Values are HTML. */
export function facts(pairs: readonly (readonly [term: string, value: string])[]): string {
  return html`<dl class="facts">
    !${pairs.map(([term, value]) => html`<div><dt>${term}</dt><dd>!${value}</dd></div>`)}
  </dl>`;
}

export interface Grid {
  readonly caption: string;
  readonly columns: readonly string[];
  /** Cells are HTML; the first of a row names it. */
  readonly rows: readonly (readonly string[])[];
  /** Instead of a table without rows. */
  readonly none: string;
}

/** In a frame of its own that scrolls: tables are wider than some screens. */
export function grid({ caption, columns, rows, none }: Grid): string {
  if (rows.length === 0) return html`<p class="none">${none}</p>`;
  return html`<div class="wide" tabindex="0" role="region" aria-label="${caption}"><table>
    <caption>${caption}</caption>
    <thead><tr>!${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
    <tbody>!${rows.map(row)}</tbody>
  </table></div>`;
}

function row([first = '', ...others]: readonly string[]): string {
  return html`<tr><th scope="row">!${first}</th>!${others.map((cell) => html`<td>!${cell}</td>`)}</tr>`;
}

/** Links to the pages of a list. `to` gives the address of one. */
export function pager(
  { page, pages }: { readonly page: number; readonly pages: number },
  to: (page: number) => string,
  what: string,
): string {
  if (pages <= 1) return '';
  const link = (at: number, text: string): string =>
    at < 1 || at > pages || at === page ? '' : html`<a href="${to(at)}">${text}</a>`;
  return html`<nav class="pager" aria-label="Pages of ${what}">
    !${link(1, 'First')} !${link(page - 1, 'Previous')}
    <span>${page} of ${pages}</span>
    !${link(page + 1, 'Next')} !${link(pages, 'Last')}
  </nav>`;
}
