/** The Go toolchain below deps/<idx>/go: of the manifest, or any other version, straight from the module proxy. */
import { lt, valid } from 'semver';
import {
  BuildpackFailure,
  type Dependency,
  deprecation,
  fetchText,
  highestMatch,
  newestFirst,
  reasonOf,
  registryUrl,
  type StepContext,
  statedGoSum,
  versionsOf,
} from '../../kit/index.ts';
import { fromGoName, type GoWish, toGoName } from './version.ts';

const MODULE = 'golang.org/toolchain';
const LIST_LIMIT = 8 * 1024 * 1024;
/** What a build never reads: a third of the files. */
const LEFT_OUT = /^(test|api|doc|misc)\/|_test\.go$|\/testdata\//;

/** What choosing needs. */
export type Chooser = Pick<StepContext, 'manifest' | 'env' | 'log' | 'choose'>;

/** @throws BuildpackFailure with the versions that there are when none fits. */
export async function chooseGo(context: Chooser, wish: GoWish): Promise<Dependency> {
  const found = await find(context, wish.range);
  context.log.info(`Go ${toGoName(found.version)} (${wish.source})`);
  if (wish.atLeast !== undefined && valid(wish.atLeast) !== null && lt(found.version, wish.atLeast)) {
    throw new BuildpackFailure(
      `${wish.source} asks for Go ${toGoName(found.version)}, but go.mod needs ${toGoName(wish.atLeast)} or newer`,
      { next: 'Correct one of the two: an older Go refuses to build the module.' },
    );
  }
  return found;
}

async function find(context: Chooser, range: string | undefined): Promise<Dependency> {
  const { manifest, env, log } = context;
  const listed = versionsOf(manifest, 'go', { stack: env['CF_STACK'] ?? '', arch: process.arch });
  const known = range === undefined || listed.includes(range) || highestMatch(range, listed) !== undefined;
  const offline = manifest.dependencies.some(({ file }) => file !== undefined);
  if (known || offline) return context.choose('go', range);
  const found = await fromProxy(context, range, listed);
  const ending = deprecation(manifest, found, new Date());
  if (ending !== undefined) log.warning(ending);
  return found;
}

/** The proxy's list is not complete, so an exact version is asked for whether it is in there or not. */
async function fromProxy(context: Chooser, range: string, listed: readonly string[]): Promise<Dependency> {
  const versions = await listedByProxy(context);
  const version = valid(range) ?? highestMatch(range, versions);
  const available = newestFirst([...new Set([...listed, ...versions])]).map(toGoName);
  const failure = (cause?: unknown) =>
    new BuildpackFailure(
      `no go version matches "${range}". Available: ${available.slice(0, 12).join(', ')} and older, down to 1.21.0`,
      {
        cause,
        next: 'Correct GOVERSION, or the go and toolchain lines of go.mod.',
      },
    );
  if (version === null || version === undefined || lt(version, '1.21.0-0')) throw failure();
  const name = `v0.0.1-go${toGoName(version)}.${platform()}`;
  context.log.info(`go ${toGoName(version)} is not in the manifest; taken from the module proxy`);
  try {
    const digest = await statedGoSum(MODULE, name, context.env);
    return {
      name: 'go',
      version,
      uri: `goproxy:${MODULE}@${name}`,
      checksum: { algorithm: 'h1', digest },
      executable: EXECUTABLE,
    };
  } catch (error) {
    throw versions.includes(version) ? error : failure(error);
  }
}

const EXECUTABLE = ['bin/*', 'pkg/tool/*/*'];

async function listedByProxy({ env }: Chooser): Promise<string[]> {
  const url = `${registryUrl('goproxy', env)}/${MODULE}/@v/list`;
  try {
    const text = await fetchText(url, LIST_LIMIT);
    const ending = `.${platform()}`;
    return text.split('\n').flatMap((line) => {
      const name = line.trim();
      if (!name.startsWith('v0.0.1-go') || !name.endsWith(ending)) return [];
      const version = fromGoName(name.slice('v0.0.1-go'.length, -ending.length));
      return valid(version) === null ? [] : [version];
    });
  } catch (error) {
    throw new BuildpackFailure(`the versions of Go can't be read from the module proxy: ${reasonOf(error)}`, {
      cause: error,
      next: 'Check network, proxy (https_proxy) and mirror (GOPROXY), or ask for a version that the buildpack has.',
    });
  }
}

function platform(): string {
  return `linux-${process.arch === 'arm64' ? 'arm64' : 'amd64'}`;
}

/** Unpacks it and links `go` and `gofmt` onto PATH. */
export async function installGo(context: StepContext, go: Dependency): Promise<void> {
  const { dep, dependencies } = context;
  await dependencies.install(go, dep.at('go'), {
    strip: 2,
    executable: EXECUTABLE,
    pick: (path) =>
      LEFT_OUT.test(path) ? undefined : path.replace(/^(src\/(?:cmd\/)?)_go\.mod$/, '$1go.mod'),
  });
  for (const name of ['go', 'gofmt']) await dep.linkBin(name, dep.at('go/bin', name));
}
