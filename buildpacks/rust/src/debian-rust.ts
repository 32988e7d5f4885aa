/**
 * The packages of Debian that make up one Rust. They are made for building browsers: the version moves with those, one
 * at a time, and so do the names of its libraries. For the tool that writes the manifest, and for stagings after that.
 */
import type { DebianPackage } from '../../kit/debian.ts';

/** Where it is. */
export const RUST_SUITE = 'bookworm';

/** Names of the packages of one Rust: both programs, and what only they use. */
export function rustPackages(index: ReadonlyMap<string, DebianPackage>): string[] {
  const names = ['rustc-web', 'cargo-web'];
  for (const name of names) {
    for (const part of index.get(name)?.depends.split(',') ?? []) {
      const [first = ''] = part.trim().split(/[\s|(:]/);
      if (MAY_BE_PART.test(first) && !names.includes(first)) names.push(first);
    }
  }
  return names;
}

/** What {@link rustPackages} reads of an index. */
export const MAY_BE_PART = /^(rustc-web|cargo-web|libstd-rust-web-.*|libllvm\d+)$/;

/** `1.96.0` of `1.96.0+dfsg1-1~deb12u2`. */
export function rustVersion(debian: string): string {
  return /^(?:\d+:)?(\d+\.\d+\.\d+)/.exec(debian)?.[1] ?? '0.0.0';
}
