/** `doctor` for the library: what will be used on this machine, and why the alternatives can't be. */
import { openStager } from '../../compose.ts';
import type { Diagnosis } from '../../machine/doctor/doctor.ts';
import { type CommonOptions, configOf } from './options.ts';

/** Options of `doctor`. */
export interface DoctorOptions extends CommonOptions {
  /** First put right in the data home what can be put right without loss; told a sentence for each thing done. */
  readonly onRepaired?: (done: string) => void;
}

/** Looks at the machine. What can't be used is a finding, not an exception. @throws StagerError CANCELLED. */
export async function doctor(options: DoctorOptions = {}): Promise<Diagnosis> {
  await using stager = openStager(await configOf(options));
  const { onRepaired, signal = new AbortController().signal } = options;
  if (onRepaired !== undefined) for (const done of await stager.repair()) onRepaired(done);
  return await stager.diagnose(signal);
}
