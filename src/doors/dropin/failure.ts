/**
 * How the original ends: a message on stderr, and an exit code that it finds by searching that message. We would not decide
 * by the text of a message, but the codes that come out are the contract. So a buildpack whose *key* holds one of these
 * sentences gets that code too, and 226 is never reached: a failed finalize is wrapped by the sentence for compile.
 */

/** The sentences, which are printed as they are. */
export const SENTENCES = {
  detect: 'None of the buildpacks detected a compatible application',
  compile: 'Failed to compile droplet',
  release: 'Failed to build droplet release',
  supply: 'Failed to run all supply scripts',
  noSupplyScript:
    'Error: one of the buildpacks chosen to supply dependencies does not support multi-buildpack apps',
  finalize: 'Failed to run finalize script',
  missingFinalize:
    'Warning: the last buildpack is not compatible with multi-buildpack apps and cannot make use of any dependencies supplied by the buildpacks specified before it',
} as const;

/** In the order in which they are searched for (staging-internals.md 6.4). */
const EXITS: readonly (readonly [string, number])[] = [
  [SENTENCES.detect, 222],
  [SENTENCES.compile, 223],
  [SENTENCES.release, 224],
  [SENTENCES.supply, 225],
  [SENTENCES.noSupplyScript, 225],
  [SENTENCES.finalize, 226],
];

/** Exit code of a builder that fails with `message`. */
export function builderExitCode(message: string): number {
  return EXITS.find(([sentence]) => message.includes(sentence))?.[1] ?? 1;
}

/** A failure whose message is printed as it is. */
export class DropinFailure extends Error {}

/** `sentence: cause`, as a failure. */
export function failure(sentence: string, cause?: unknown): DropinFailure {
  if (cause === undefined) return new DropinFailure(sentence);
  const message = cause instanceof Error ? cause.message : String(cause);
  return new DropinFailure(`${sentence}: ${message}`, { cause });
}

/** Runs `step`; what it throws is reported under `sentence`. */
export async function under<T>(sentence: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw failure(sentence, error);
  }
}
