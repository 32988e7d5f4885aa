/** Order of Debian versions (deb-version(7)): epoch, then upstream version, then revision. */

/** Negative, zero or positive, as a sort function wants it. `~` sorts before everything, even the end. */
export function compareDebianVersions(left: string, right: string): number {
  const a = split(left);
  const b = split(right);
  return a.epoch - b.epoch || compareParts(a.upstream, b.upstream) || compareParts(a.revision, b.revision);
}

function split(version: string): { epoch: number; upstream: string; revision: string } {
  const colon = version.indexOf(':');
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  return {
    epoch: colon < 0 ? 0 : Number.parseInt(version.slice(0, colon), 10),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? '' : rest.slice(dash + 1),
  };
}

/** Runs of non-digits and of digits in turn, the way dpkg reads them. */
function compareParts(left: string, right: string): number {
  let a = left;
  let b = right;
  while (a !== '' || b !== '') {
    const [textA = ''] = /^\D*/.exec(a) ?? [];
    const [textB = ''] = /^\D*/.exec(b) ?? [];
    const byText = compareText(textA, textB);
    if (byText !== 0) return byText;
    const [digitsA = ''] = /^\d*/.exec(a.slice(textA.length)) ?? [];
    const [digitsB = ''] = /^\d*/.exec(b.slice(textB.length)) ?? [];
    const byNumber = Number(digitsA) - Number(digitsB);
    if (byNumber !== 0) return byNumber;
    a = a.slice(textA.length + digitsA.length);
    b = b.slice(textB.length + digitsB.length);
  }
  return 0;
}

function compareText(left: string, right: string): number {
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = weight(left[at]) - weight(right[at]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function weight(character: string | undefined): number {
  if (character === '~') return -1;
  if (character === undefined) return 0;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}
