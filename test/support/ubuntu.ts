/** Whether tests reach Ubuntu's archive, which has packages for x64 only. */
import { registryUrl } from '../../buildpacks/kit/mirrors.ts';

/** False on other machines, and where it is out of reach: what needs it says so by its name. */
export async function isUbuntuThere(): Promise<boolean> {
  if (process.arch !== 'x64') return false;
  const release = `${registryUrl('ubuntu', process.env)}/dists/jammy-updates/InRelease`;
  const answer = await fetch(release, { method: 'HEAD' }).catch(() => undefined);
  return answer?.ok === true;
}
