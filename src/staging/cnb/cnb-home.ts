/**
 * `/home/vcap` of a build or a run with Cloud Native Buildpacks. Scripts own all of it, so any directory there may be a
 * link to anywhere by now: paths are looked up as the scripts see them, and what is written to has to be real.
 */
import { constants } from 'node:fs';
import { copyFile, lchown, mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { needsChown, type Owner } from '../../machine/host/owner.ts';
import { MAX_SMALL_BYTES } from '../../machine/host/read-small.ts';
import { removeTree } from '../../machine/host/remove-tree.ts';
import { InsideView } from '../../machine/sandbox/child/inside-view.ts';
import { StagerError } from '../../words/errors.ts';
import { replacedPart } from '../workspace/own.ts';

/** Paths inside, as Cloud Foundry's lifecycle has them. */
export const CNB_INSIDE = {
  home: '/home/vcap',
  app: '/home/vcap/workspace',
  layers: '/home/vcap/layers',
  platform: '/platform',
  buildpacks: '/cnb/buildpacks',
  plans: '/cnb/plans',
} as const;

/** One name in a directory. */
export interface HomeName {
  readonly name: string;
  readonly isDirectory: boolean;
}

/** See the top of the file. Paths are those inside. */
export class CnbHome {
  /** On the host. */
  readonly root: string;
  readonly #view: InsideView;
  readonly #code: 'COMPILE_FAILED' | 'DROPLET_INVALID';

  /** @param code of what is refused: a buildpack is to blame while building, a droplet when it is run. */
  constructor(root: string, code: 'COMPILE_FAILED' | 'DROPLET_INVALID') {
    this.root = root;
    this.#code = code;
    // Where there is nothing but the home, its parent can be the same directory: no link leads out either way.
    const targets = [CNB_INSIDE.home, posix.dirname(CNB_INSIDE.home)];
    this.#view = new InsideView(
      root,
      targets.map((target) => ({ source: root, target })),
    );
  }

  /** Host path of what has this name now, a link or not. */
  hostOf(inside: string): string {
    return join(this.root, posix.relative(CNB_INSIDE.home, inside));
  }

  /** Whether there is a directory; links are followed as inside, and never out of the home. */
  async isDirectory(inside: string): Promise<boolean> {
    const found = await this.#view.resolve(inside);
    return 'stats' in found && found.stats.isDirectory();
  }

  /** What is in a directory, sorted; nothing when it is none. */
  async names(inside: string): Promise<readonly HomeName[]> {
    const found = await this.#view.resolve(inside);
    if (!('stats' in found) || !found.stats.isDirectory()) return [];
    const entries = await readdir(found.host, { withFileTypes: true });
    return entries
      .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * The text of a small file; undefined when there is none.
   *
   * @throws StagerError for what is not a file, or too large.
   */
  async text(inside: string): Promise<string | undefined> {
    const found = await this.#view.resolve(inside);
    if (!('stats' in found)) return undefined;
    if (!found.stats.isFile()) throw this.#refused(inside, 'is not a file');
    if (found.stats.size > MAX_SMALL_BYTES)
      throw this.#refused(inside, `has ${found.stats.size} bytes, the limit is ${MAX_SMALL_BYTES}`);
    await using file = await open(found.host, constants.O_RDONLY | constants.O_NOFOLLOW);
    return await file.readFile('utf8');
  }

  /**
   * Host path of a directory that is one, and below nothing but directories; or of none yet.
   *
   * @throws StagerError when a script put something else there.
   */
  async real(inside: string): Promise<string> {
    const path = this.hostOf(inside);
    const replaced = await replacedPart({ tmp: this.root }, path);
    if (replaced === undefined) return path;
    throw this.#refused(
      posix.join(CNB_INSIDE.home, posix.relative(this.root, replaced)),
      'was replaced with something that is not a directory',
    );
  }

  /** Makes a directory, and those above it, that scripts own; what is there stays. */
  async make(inside: string, owner: Owner): Promise<string> {
    const path = await this.real(inside);
    const made = await mkdir(path, { recursive: true, mode: 0o755 });
    if (made !== undefined && needsChown(owner)) {
      for (let at = path; at.length >= made.length; at = dirname(at)) await lchown(at, owner.uid, owner.gid);
    }
    return path;
  }

  /** Copies a file to the place of whatever was there, for scripts to own. */
  async copy(from: string, to: string, owner: Owner): Promise<void> {
    const found = await this.#view.resolve(from);
    if (!('stats' in found) || !found.stats.isFile()) throw this.#refused(from, 'is not a file');
    const path = await this.#room(to, owner);
    await copyFile(found.host, path, constants.COPYFILE_EXCL);
    if (needsChown(owner)) await lchown(path, owner.uid, owner.gid);
  }

  /** Writes a file in the place of whatever was there, for scripts to own. */
  async write(inside: string, content: string, owner: Owner): Promise<void> {
    await using file = await open(await this.#room(inside, owner), 'wx', 0o644);
    await file.writeFile(content);
    if (needsChown(owner)) await file.chown(owner.uid, owner.gid);
  }

  /** Removes a directory and all that is in it, deep or not; fine when there is none. */
  async remove(inside: string): Promise<void> {
    await removeTree(await this.real(inside));
  }

  /** Host path of a name in a real directory, where nothing is. */
  async #room(inside: string, owner: Owner): Promise<string> {
    const path = join(await this.make(posix.dirname(inside), owner), posix.basename(inside));
    await removeTree(path);
    return path;
  }

  #refused(inside: string, why: string): StagerError {
    return new StagerError(this.#code, `${inside} ${why}`, {
      next: 'Report it to the authors of the buildpacks; layers have to be what the specification says.',
      details: { path: inside },
    });
  }
}
