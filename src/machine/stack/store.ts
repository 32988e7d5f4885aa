/**
 * The stacks that a sandbox can be given: `host`, which is the machine itself, and root file systems that were
 * added under a name.
 *
 * ```
 * stacks/
 *   names/<name>.json   what is known by that name; written last, so a stack is there whole or not at all
 *   trees/<id>/rootfs   the unpacked file system; never changed once it has a name
 *   trees/<id>/tree.seal  what it holds, by which it is verified at every use
 *   trees/<id>/users/   one empty file a process that uses it, named after the process
 *   new/<label>.<id>/   a tree that is being unpacked
 * ```
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve as resolvePath } from 'node:path';
import { checkedJson } from '../../words/checked-json.ts';
import { errnoOf, isStagerError, StagerError, throwIfCancelled } from '../../words/errors.ts';
import { placed } from '../host/full-disk.ts';
import { namesIn } from '../host/names-in.ts';
import { lifeOfLabel, processLabel, sweepDead } from '../host/process-label.ts';
import { removeTree } from '../host/remove-tree.ts';
import { replaceFile } from '../host/replace-file.ts';
import { readTree, sealTree } from '../host/tree-seal.ts';
import type { Rootfs } from '../sandbox/port/sandbox.ts';
import { checkStack } from './check.ts';
import { hostStackDigest } from './host.ts';
import { damagedStack, type Record, readRecord, stackNotFound } from './record.ts';
import { checkTreeBeside } from './tree-check.ts';
import { type UnpackedStack, unpackStack } from './unpack.ts';

/** What is known of a stack. Sizes in bytes, instants in ISO 8601 UTC. */
export type StackInfo =
  | { readonly name: 'host'; readonly kind: 'host'; readonly description: string; readonly digest: string }
  | {
      readonly name: string;
      readonly kind: 'tar' | 'directory' | 'oci' | 'docker';
      readonly description: string;
      readonly digest: string;
      /** What it was added from. */
      readonly source: string;
      readonly entries: number;
      readonly bytes: number;
      readonly addedAt: string;
      readonly path: string;
    };

/** A stack that is ready for a sandbox. */
export interface ResolvedStack {
  readonly name: string;
  readonly rootfs: Rootfs;
  /** Changes when the stack's files do. */
  readonly digest: string;
  readonly description: string;
  /** One line for a person, when its files had changed and were unpacked again. */
  readonly notice?: string;
}

/** The machine's own. */
const HOST_STACK = 'host';
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The stacks that were added, and the machine's own. */
export class StackStore {
  readonly #root: string;

  /** @param root `<home>/stacks`; made when something is added. */
  constructor(root: string) {
    this.#root = root;
  }

  /** All stacks, `host` first, the others by name. */
  async list(): Promise<StackInfo[]> {
    const names = await this.#names();
    const records = await Promise.all(names.map((name) => this.#record(name)));
    const added = records.flatMap((record) => (record === undefined ? [] : [this.#info(record)]));
    return [await this.#host(), ...added.sort((a, b) => (a.name < b.name ? -1 : 1))];
  }

  /** @throws StagerError STACK_NOT_FOUND with the names that are known. */
  async show(name: string): Promise<StackInfo> {
    if (name === HOST_STACK) return await this.#host();
    return this.#info(await this.#known(name));
  }

  /**
   * Unpacks a root file system under a name. A stack of that name is replaced; who uses it keeps the old files.
   *
   * @param from a .tar, .tar.gz or .tar.zst, a directory, an OCI layout directory, or a docker-archive
   * @throws StagerError STACK_INVALID, SOURCE_NOT_FOUND, USAGE for a name that can't be one, CANCELLED
   */
  async add(name: string, from: string, options: { readonly signal: AbortSignal }): Promise<StackInfo> {
    checkName(name);
    return this.#info(await this.#add(name, resolvePath(from), { signal: options.signal }));
  }

  /** With `like`, only a tree that is the very one of that record. */
  async #add(
    name: string,
    from: string,
    options: { readonly signal: AbortSignal; readonly like?: Record },
  ): Promise<Record> {
    await this.sweep();
    const tree = randomUUID();
    const aside = join(this.#root, 'new', `${processLabel()}.${tree.replaceAll('-', '')}`);
    await mkdir(join(aside, 'users'), { recursive: true });
    try {
      const unpacked = await unpackStack(from, aside, options.signal);
      const description = await checkStack(join(aside, 'rootfs'), from);
      const entries = await readTree(join(aside, 'rootfs'), options.signal);
      const sealed = await sealTree(join(aside, 'rootfs'), join(aside, SEAL), entries, options.signal);
      const { like } = options;
      if (like !== undefined && (like.digest !== unpacked.digest || (like.sealed ?? sealed) !== sealed))
        throw new StagerError('STACK_INVALID', `${from} now contains a different file system`);
      await mkdir(join(this.#root, 'trees'), { recursive: true });
      await rename(aside, this.#tree(tree));
      return await this.#publish({ name, tree, source: from, description, unpacked, sealed });
    } catch (error) {
      throw placed(error, this.#root);
    } finally {
      await removeTree(aside).catch(() => undefined);
    }
  }

  /**
   * @throws StagerError STACK_NOT_FOUND; USAGE when it is `host` or in use.
   */
  async remove(name: string): Promise<void> {
    if (name === HOST_STACK) {
      throw new StagerError('USAGE', 'the stack host is the machine itself and cannot be removed', {
        next: 'Name a stack that was added; `stager stack list` shows them.',
      });
    }
    const record = await this.#known(name);
    const users = await this.#users(record.tree);
    if (users.length > 0) {
      throw new StagerError('USAGE', `the stack ${name} is in use by process ${users.join(', ')}`, {
        next: 'Wait for it to end, or end it.',
        details: { stack: name, pids: users },
      });
    }
    await rm(join(this.#root, 'names', `${name}.json`), { force: true });
    await removeTree(this.#tree(record.tree));
  }

  /**
   * The stack for a sandbox. It is not removed while this process is running.
   *
   * @throws StagerError STACK_NOT_FOUND with the names that are known; STACK_INVALID when its files changed and its
   * source does not give them again.
   */
  async resolve(name: string, signal: AbortSignal = new AbortController().signal): Promise<ResolvedStack> {
    if (name === HOST_STACK) {
      const { digest, description } = await this.#host();
      return { name, rootfs: { kind: 'host' }, digest, description };
    }
    const known = await this.#known(name);
    await this.#use(known);
    const { record, notice } = await this.#intact(known, signal);
    const path = join(this.#tree(record.tree), 'rootfs');
    const { digest, description } = record;
    return { name, rootfs: { kind: 'directory', path }, digest, description, ...(notice && { notice }) };
  }

  /** Marks the tree as used by this process. */
  async #use({ tree }: Record): Promise<void> {
    await sweepDead([join(this.#tree(tree), 'users')]);
    const mark = join(this.#tree(tree), 'users', `${processLabel()}.use`);
    await writeFile(mark, '').catch(async (error: unknown) => {
      // Removed in this very moment, or damaged. The tree itself is looked at next.
      if (/^(ENOENT|ENOTDIR|ELOOP)$/.test(errnoOf(error) ?? '')) return await this.#markAnew(tree, mark);
      // A store that only others may write to: they have to look after its users.
      if (errnoOf(error) !== 'EACCES' && errnoOf(error) !== 'EROFS') throw error;
    });
  }

  /** Where the directory of the users is not one any more. */
  async #markAnew(tree: string, mark: string): Promise<void> {
    const users = join(this.#tree(tree), 'users');
    try {
      await removeTree(users);
      await mkdir(users);
      await writeFile(mark, '');
    } catch {
      // Then there is no tree, which is found out next.
    }
  }

  /** The record of a tree that is what was added: this one, or one that was unpacked again. */
  async #intact(record: Record, signal: AbortSignal): Promise<{ record: Record; notice?: string }> {
    const { name, source } = record;
    const root = join(this.#tree(record.tree), 'rootfs');
    const seal = join(this.#tree(record.tree), SEAL);
    const found = await checkTreeBeside({ root, seal, content: record.sealed });
    if (found.outcome === 'intact') return { record };
    if (found.outcome === 'unsealed' && record.sealed === undefined) {
      // Added by an older stager: what is there now is what counts from now on.
      await sealTree(root, seal, await readTree(root, signal), signal).catch(() => throwIfCancelled(signal));
      return { record };
    }
    if ((await this.#record(name))?.tree !== record.tree) throw stackNotFound(name, []);
    const what = found.outcome === 'damaged' ? `${found.path}: ${found.why}` : `${seal} can't be read`;
    try {
      const again = await this.#add(name, source, { signal, like: record });
      await this.#use(again);
      return { record: again, notice: `the stack ${name} was damaged and was unpacked again: ${what}` };
    } catch (cause) {
      throwIfCancelled(signal);
      if (isStagerError(cause, 'HOST_DISK_FULL')) throw cause;
      throw damagedStack(record, { what, cause });
    }
  }

  /** Removes trees that nothing names and nobody uses, and what a killed `add` left. */
  async sweep(): Promise<void> {
    for (const name of await namesIn(join(this.#root, 'new'))) {
      if (lifeOfLabel(name) === 'dead') await removeTree(join(this.#root, 'new', name));
    }
    const trees = await namesIn(join(this.#root, 'trees'));
    const named = await Promise.all((await this.#names()).map((name) => this.#record(name)));
    const kept = new Set(named.map((record) => record?.tree));
    for (const tree of trees) {
      if (!kept.has(tree) && (await this.#isOld(tree)) && (await this.#users(tree)).length === 0) {
        await removeTree(this.#tree(tree));
      }
    }
  }

  #tree(id: string): string {
    return join(this.#root, 'trees', id);
  }

  /** A tree gets its name right after it was moved here; one without a name for an hour will get none. */
  async #isOld(tree: string): Promise<boolean> {
    const stats = await stat(this.#tree(tree)).catch(() => undefined);
    return stats !== undefined && Date.now() - stats.ctimeMs > UNNAMED_MS;
  }

  async #users(tree: string): Promise<number[]> {
    const marks = await namesIn(join(this.#tree(tree), 'users'));
    return marks.filter((mark) => lifeOfLabel(mark) !== 'dead').map((mark) => Number(mark.split('.')[2]));
  }

  async #publish(parts: {
    name: string;
    tree: string;
    source: string;
    description: string;
    unpacked: UnpackedStack;
    sealed: string;
  }): Promise<Record> {
    const { unpacked, ...rest } = parts;
    const record: Record = { ...rest, ...unpacked, addedAt: new Date().toISOString() };
    const path = join(this.#root, 'names', `${parts.name}.json`);
    await mkdir(join(this.#root, 'names'), { recursive: true });
    await replaceFile(path, checkedJson(record), { durable: true });
    return record;
  }

  async #known(name: string): Promise<Record> {
    const record = NAME.test(name) ? await this.#record(name) : undefined;
    if (record === undefined)
      throw stackNotFound(
        name,
        (await this.list()).map((stack) => stack.name),
      );
    return record;
  }

  /** Of the stacks that were added. */
  async #names(): Promise<string[]> {
    const files = await namesIn(join(this.#root, 'names'));
    return files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
  }

  async #record(name: string): Promise<Record | undefined> {
    return await readRecord(join(this.#root, 'names', `${name}.json`), name);
  }

  #info(record: Record): StackInfo {
    const { tree, sealed: _, ...rest } = record;
    return { ...rest, path: join(this.#tree(tree), 'rootfs') };
  }

  async #host(): Promise<Extract<StackInfo, { kind: 'host' }>> {
    const { digest, description } = await hostStackDigest();
    return { name: HOST_STACK, kind: 'host', digest, description };
  }
}

const UNNAMED_MS = 3_600_000;
const SEAL = 'tree.seal';

function checkName(name: string): void {
  if (NAME.test(name) && name !== HOST_STACK) return;
  throw new StagerError('USAGE', `${JSON.stringify(name)} can't be the name of a stack`, {
    next: 'Use letters, digits, dots, dashes and underscores, at most 64, and not `host`.',
  });
}
