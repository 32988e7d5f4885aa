/** Directory names of buildpacks and caches: 16 hex digits of the 64-bit xxhash of the key text, seed 0. */
import xxhash from 'xxhash-wasm';

/** The xxhash of `key` as Cloud Foundry writes it (buildpack-contracts.md 1.1). */
export async function keyHash(key: string): Promise<string> {
  const { h64ToString } = await xxhash();
  return h64ToString(key).padStart(16, '0');
}
