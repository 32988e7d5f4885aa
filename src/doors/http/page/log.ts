/** The log on the page of a build: a window of lines with a link to each, or the lines that a search found. */
import { html } from 'ghtml';
import { lastLineOf, linesWith } from '../../../service/builds/log-pages.ts';
import { type LogLine, linesAfter } from '../../../service/builds/log-store.ts';
import type { Queries } from '../../../service/state/database.ts';
import type { Guid } from '../../../words/ids.ts';
import { formatCount } from '../../../words/units.ts';
import { pager } from './parts.ts';
import { type Piece, styledPieces } from './styled-text.ts';

/** Lines of one window, and of what is found. */
const WINDOW = 500;

export interface LogWish {
  readonly build: Guid;
  readonly runs: boolean;
  /** The line that is to be in sight; without, the end. */
  readonly line: number | undefined;
  /** What is looked for. */
  readonly text: string | undefined;
}

export async function logSection(queries: Queries, wish: LogWish): Promise<string> {
  const { build, text = '' } = wish;
  const shown = text === '' ? await windowOf(queries, wish) : await found(queries, build, text);
  return html`<section aria-labelledby="log-title">
    <h2 id="log-title">Log</h2>
    <div class="tools">
      <form role="search" method="get" action="/builds/${build}" id="search">
        <label for="q">Find in the log</label>
        <input id="q" name="q" type="search" value="${text}" maxlength="200">
        <button>Find</button>
      </form>
      <label class="check"><input type="checkbox" id="wrap" checked> Wrap long lines</label>
    </div>
    !${shown}
  </section>`;
}

async function windowOf(queries: Queries, { build, runs, line }: LogWish): Promise<string> {
  const last = await lastLineOf(queries, build);
  const pages = Math.max(1, Math.ceil(last / WINDOW));
  const page = Math.min(pages, Math.ceil((line ?? last) / WINDOW) || 1);
  const lines = await linesAfter(queries, build, { after: (page - 1) * WINDOW, most: WINDOW });
  const follows = runs && page === pages;
  const to = (at: number): string => `/builds/${build}?line=${(at - 1) * WINDOW + 1}#log`;
  const after = follows
    ? html`data-follow="/builds/${build}/lines?after=${lines.at(-1)?.sequence ?? 0}"`
    : '';
  return html`!${pager({ page, pages }, to, 'the log')}
    <div class="log" id="log" role="region" aria-label="Lines of the log" tabindex="0" !${after}>!${lines.map(
      (each) => lineRow(build, each),
    )}</div>
    !${lines.length === 0 ? html`<p class="none" id="no-lines">No lines yet.</p>` : ''}
    !${pager({ page, pages }, to, 'the log, again')}`;
}

async function found(queries: Queries, build: Guid, text: string): Promise<string> {
  const lines = await linesWith(queries, build, { text, most: WINDOW });
  const count = lines.length === WINDOW ? `the first ${WINDOW} lines` : formatCount(lines.length, 'line');
  return html`<p role="status">${count} with “${text}”. <a href="/builds/${build}#log">Show the whole log</a></p>
    <div class="log" id="log" role="region" aria-label="Lines found" tabindex="0">!${lines.map((each) =>
      lineRow(build, each, text),
    )}</div>`;
}

/** page.js makes the same of what comes later. */
function lineRow(build: Guid, { sequence, stream, text }: LogLine, mark?: string): string {
  const pieces = styledPieces(text).map((piece) => pieceOf(piece, mark));
  return html`<div class="line ${stream}" id="L${sequence}"><a href="/builds/${build}?line=${sequence}#L${sequence}">${sequence}</a><span>!${pieces}</span></div>`;
}

function pieceOf({ text, style }: Piece, mark?: string): string {
  const inner = mark === undefined ? html`${text}` : marked(text, mark);
  return style === '' ? inner : html`<span class="${style}">!${inner}</span>`;
}

/** With what was looked for highlighted, where it is in one colour. */
function marked(text: string, mark: string): string {
  const [lower, wanted] = [text.toLowerCase(), mark.toLowerCase()];
  let out = '';
  let at = 0;
  // Some letters are of another length in lower case.
  for (let hit = lower.length === text.length ? lower.indexOf(wanted) : -1; hit >= 0; ) {
    out += html`${text.slice(at, hit)}<mark>${text.slice(hit, hit + wanted.length)}</mark>`;
    at = hit + wanted.length;
    hit = lower.indexOf(wanted, at);
  }
  return out + html`${text.slice(at)}`;
}
