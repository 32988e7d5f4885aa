/** `doctor` for the library: what will be used on this machine, and why other things can't be. */
import { openStager } from '../../compose.ts';
import type { Diagnosis } from '../../machine/doctor/doctor.ts';
import { type CommonOptions, configOf } from './options.ts';

/** Looks at the machine. What can't be used is a finding, not an exception. @throws StagerError CANCELLED. */
export async function doctor(options: CommonOptions = {}): Promise<Diagnosis> {
  await using stager = openStager(await configOf(options));
  return await stager.diagnose(options.signal ?? new AbortController().signal);
}
