/** Whether tests reach Ubuntu's archive, which has packages for x64 only. */
import { registryUrl } from '../../buildpacks/kit/mirrors.ts';

/** A network that swallows what it does not allow answers never. */
const PATIENCE_MS = 30_000;

/** False on other machines, and where it is out of reach: what needs it says so by its name. */
export async function isUbuntuThere(): Promise<boolean> {
  if (process.arch !== 'x64') return false;
  const release = `${registryUrl('ubuntu', process.env)}/dists/jammy-updates/InRelease`;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const answer = await fetch(release, { method: 'HEAD', signal }).catch(() => undefined);
  return answer?.ok === true;
}
