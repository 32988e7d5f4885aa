/** Variables that say which registries buildpacks and package managers ask: their caches are kept by address. */
import { isMirrorVariable } from '../../config/mirrors.ts';

const OURS = /^STAGER_[A-Z]+(_[A-Z]+)*_(MIRROR|REGISTRY|INDEX|PROXY)$/;
const TOOLS =
  /^(MVNW_REPOURL|UV_INDEX|UV_EXTRA_INDEX_URL|BUNDLE_MIRROR__[A-Z0-9_:/.]+|CARGO_REGISTRIES_[A-Z0-9_]+_INDEX)$/;

/** Whether it is one of them. */
export const isMirrorName = (name: string): boolean =>
  isMirrorVariable(name) || OURS.test(name) || TOOLS.test(name);

/** Those of an environment, without the credentials in their addresses. */
export function mirrorsOf(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env)
      .filter(([name]) => isMirrorName(name))
      .map(([name, value]) => [name, value.replace(/\/\/[^/@\s,|]*@/g, '//')]),
  );
}
