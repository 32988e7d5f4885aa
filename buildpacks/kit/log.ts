/** The log format that Cloud Foundry's users know (buildpack-contracts.md 3.1). */

const INDENT = '       ';

/** Writes to the staging log. Lines of a message after the first are indented as well. */
export interface Log {
  /** `-----> text`: a new step. */
  step(text: string): void;
  /** Seven blanks and the text. */
  info(text: string): void;
  /** `**WARNING** text`: staging continues. */
  warning(text: string): void;
  /** `**ERROR** text`: staging is about to end. */
  error(text: string): void;
  /** Only with BP_DEBUG. */
  debug(text: string): void;
}

/** A log that gives each line, without its line end, to `write`. */
export function createLog(write: (line: string) => void, options: { readonly debug?: boolean } = {}): Log {
  const put = (first: string, text: string): void => {
    const [head = '', ...rest] = hideCredentials(text).split('\n');
    write(first + head);
    for (const line of rest) write(INDENT + line);
  };
  return {
    step: (text) => put('-----> ', text),
    info: (text) => put(INDENT, text),
    warning: (text) => put(`${INDENT}**WARNING** `, text),
    error: (text) => put(`${INDENT}**ERROR** `, text),
    debug: (text) => {
      if (options.debug === true) put(`${INDENT}DEBUG: `, text);
    },
  };
}

/** `text` with the user and password of every URL in it replaced by `***`. */
export function hideCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1***@');
}
