/** Whether the clocks of the machines involved agree. */
import { type Facts, type Finding, noted } from '../../machine/doctor/finding.ts';

/** Milliseconds that nobody minds. */
const SAME_MS = 5000;

/** Asks a clock; milliseconds since the epoch. */
export interface OtherClock {
  readonly name: string;
  readonly now: () => Promise<number>;
}

/** Compares ours with each; the time of a question counts half. @throws what the last of them threw, when none answers. */
export async function clockFinding(
  others: readonly OtherClock[],
  ours: () => number = Date.now,
): Promise<Finding<Facts>> {
  const [facts, notes]: [string[], string[]] = [[], []];
  let failure: unknown;
  for (const { name, now } of others) {
    const before = ours();
    try {
      const theirs = await now();
      const offMs = theirs - (before + ours()) / 2;
      const seconds = Math.abs(offMs) < SAME_MS ? 0 : Math.round(offMs / 1000);
      facts.push(seconds === 0 ? `as that of ${name}` : `${Math.abs(seconds)} s off that of ${name}`);
      if (seconds !== 0) {
        const which = seconds > 0 ? 'behind' : 'ahead of';
        notes.push(
          `it is ${Math.abs(seconds)} s ${which} ${name}: let chrony or systemd-timesyncd set both clocks`,
        );
      }
    } catch (error) {
      failure = error;
    }
  }
  if (facts.length === 0 && failure !== undefined) throw failure;
  return noted(facts, notes);
}
