/**
 * Takes known secrets out of text that people and log stores will read.
 *
 * It guards against accidents: a script that prints its environment, a tool that echoes a URL with a token. A
 * script that wants to give a secret away can encode it, and no filter stops that.
 */

/** What stands in place of a secret (staging-internals.md 9.4). */
export const REDACTED = '[REDACTED]';
/** Shorter values are left alone: masking `1` or `true` would garble every line. */
const MIN_SECRET_LENGTH = 6;

/** Text in, text without secrets out. */
export type Redact = (text: string) => string;

/**
 * Starts at the literal `://` and stops at every character that ends an authority, so that a line of any length
 * is scanned once.
 */
const USER_INFO = /:\/\/([^\s/?#'"<>\\]+)@/g;
const PARAMETER = /([?&][^=&\s#]{1,64}=)[^&\s#'"<>]+/g;
const SECRET_NAME = /token|secret|sig|passw|credential|key/i;
const PEM_FRAME = /^-----(BEGIN|END) /;

/**
 * Masks user and password of every URL in `text`: `https://***:***@host/`, `https://***@host/` for a bare user
 * or token; and values of the query that are secrets by their names, as in signed addresses. scp-like addresses (`git@host:path`) hold no secret and stay.
 */
export function redactUrls(text: string): string {
  if (!text.includes('://')) return text;
  return text
    .replace(USER_INFO, (_all, userInfo: string) => (userInfo.includes(':') ? '://***:***@' : '://***@'))
    .replace(PARAMETER, (all, name: string) => (SECRET_NAME.test(name) ? `${name}***` : all));
}

/** Values in the query of `url` that are secrets by the names of their parameters. */
export function querySecrets(url: string): readonly string[] {
  if (!URL.canParse(url)) return [];
  return [...new URL(url).searchParams].flatMap(([name, value]) => (SECRET_NAME.test(name) ? [value] : []));
}

/**
 * A filter that masks `secrets` (also URL-encoded, JSON-escaped, and line by line where a secret has several
 * lines) and the user info of URLs.
 */
export function createRedactor(secrets: Iterable<string>): Redact {
  const needles = [...new Set([...secrets].flatMap(writings))]
    .filter((needle) => needle.length >= MIN_SECRET_LENGTH)
    // The longest first: a secret that contains another one is masked as a whole.
    .sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const needle of needles) clean = clean.replaceAll(needle, REDACTED);
    return redactUrls(clean);
  };
}

/** The ways in which a line of output may show `secret`. */
function writings(secret: string): readonly string[] {
  const lines = secret.split(/\r?\n/).filter((line) => !PEM_FRAME.test(line));
  const escaped = JSON.stringify(secret).slice(1, -1);
  return [secret, escaped, encodeURIComponent(secret.toWellFormed()), ...lines];
}
