// What pages do beyond what they do without a script: times in the reader's zone, and a log that grows by itself.

const ROWS = 5000;
const LOOK_MS = 5000;
const SOON_MS = 500;

function localTimes(within) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
  for (const each of within.querySelectorAll('time[datetime]')) {
    each.title = each.textContent;
    each.textContent = format.format(new Date(each.dateTime));
  }
}

/** As lineRow of log.ts. Text stays text. */
function lineRow({ sequence, stream, pieces }) {
  const row = document.createElement('div');
  row.className = `line ${stream === 'stderr' ? 'stderr' : 'stdout'}`;
  row.id = `L${sequence}`;
  const link = document.createElement('a');
  link.href = `${location.pathname}?line=${sequence}#L${sequence}`;
  link.textContent = String(sequence);
  const content = document.createElement('span');
  for (const { text, style } of pieces) {
    const piece = document.createElement('span');
    piece.className = style;
    piece.textContent = text;
    content.append(piece);
  }
  row.append(link, content);
  return row;
}

/** Puts the facts and phases of the build as they are now in the place of the old ones. Answers its state. */
async function refreshFacts() {
  const answer = await fetch(`${location.pathname}?log=no`);
  if (!answer.ok) return undefined;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('facts');
  const old = document.getElementById('facts');
  if (fresh === null || old === null) return undefined;
  localTimes(fresh);
  if (!old.contains(document.activeElement)) old.replaceWith(fresh);
  return fresh.dataset.state;
}

function follow(log) {
  const source = new EventSource(log.dataset.follow);
  let isOver = false;
  // The last line comes a moment before the build is final.
  const look = async () => {
    const state = await refreshFacts().catch(() => undefined);
    if (!isOver || state === 'STAGING') setTimeout(look, isOver ? SOON_MS : LOOK_MS);
  };
  setTimeout(look, LOOK_MS);
  source.addEventListener('line', ({ data }) => {
    // Who looks at the end goes on to look at the end.
    const isAtEnd = window.innerHeight + window.scrollY >= document.body.scrollHeight - 80;
    document.getElementById('no-lines')?.remove();
    log.append(lineRow(JSON.parse(data)));
    while (log.childElementCount > ROWS) log.firstElementChild.remove();
    if (isAtEnd && location.hash === '') window.scrollTo(0, document.body.scrollHeight);
  });
  source.addEventListener('end', () => {
    isOver = true;
    source.close();
    setTimeout(look, SOON_MS);
  });
}

localTimes(document);
for (const log of document.querySelectorAll('[data-follow]')) follow(log);
