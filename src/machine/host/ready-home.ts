/** The data home, before anything is done in it. */
import { openDataHome } from './data-home.ts';
import { asideDirectories, checkLayout } from './data-layout.ts';
import { sweepDead } from './process-label.ts';

/** Made if it is not there, looked at as a whole, and without what dead processes left. */
export async function readyHome(home: string): Promise<void> {
  await openDataHome(home);
  await checkLayout(home);
  await sweepDead([home, ...asideDirectories(home)]);
}
