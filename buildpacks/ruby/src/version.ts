/** Which Ruby: the Gemfile, else its lock, else .ruby-version. */
import {
  BuildpackFailure,
  type Dependency,
  type Fit,
  highestMatch,
  machineFacts,
  readText,
  ruledOutByLibc,
  type StepContext,
  versionsOf,
} from '../../kit/index.ts';
import { jrubyLines } from './jruby.ts';
import { type RubyApp, type RubyLine, rubyLine } from './lock.ts';

/** A wish and where it comes from. */
export interface RubyWish {
  readonly range: string | undefined;
  readonly source: string;
  /** Bundler checks it as well, so that a near one does not do. */
  readonly strict: boolean;
  readonly engine: 'ruby' | 'jruby';
  /** The version of JRuby itself, where the app names it. */
  readonly jruby?: { readonly version: string };
}

/** RubyGems' requirements as semver has them: `~> 3.1`, `>= 3.0`, `3.1.2`. */
export function fromRequirements(requirements: readonly string[], where: string): string {
  return requirements
    .flatMap((text) => text.split(','))
    .map((part) => {
      const [, operator = '', version = ''] =
        /^\s*(~>|[<>]=?|=|!=)?\s*(\d+(?:\.\d+){0,2})(?:\.?p\d+)?\s*$/.exec(part) ?? [];
      if (version === '') {
        throw new BuildpackFailure(`${where} asks for Ruby "${part.trim()}"`, {
          next: 'It has to be a version of Ruby such as 3.1.2 or ~> 3.1.0.',
        });
      }
      if (operator === '!=') return '';
      if (operator === '~>') return version.split('.').length > 2 ? `~${version}` : `^${version}`;
      if (operator !== '' && operator !== '=') return `${operator}${version}`;
      return version.split('.').length > 2 ? version : `${version}.x`;
    })
    .filter((part) => part !== '')
    .join(' ');
}

/** First that says something wins. */
export async function rubyWish(dir: string, app: RubyApp): Promise<RubyWish> {
  const line = rubyLine(app.text);
  const engine = engineOf(line, app);
  if (line !== undefined && line.requirements.length > 0) {
    return {
      ...engine,
      range: fromRequirements(line.requirements, app.gemfile),
      source: app.gemfile,
      strict: true,
    };
  }
  const file = line?.file ?? '.ruby-version';
  const text = (await readText(dir, file))
    ?.split('\n')
    .map((one) => one.replace(/#.*/, '').trim())
    .find(Boolean);
  if (line?.file !== undefined) {
    if (text === undefined) {
      throw new BuildpackFailure(`${app.gemfile} reads Ruby's version from ${file}, which says nothing`, {
        next: 'Write a version such as 3.1.2 into it.',
      });
    }
    return { ...engine, ...fromFile(text, file), source: `${file}, by ${app.gemfile}`, strict: true };
  }
  if (app.lock?.ruby !== undefined) {
    return { ...engine, range: app.lock.ruby, source: app.lockFile, strict: false };
  }
  if (text !== undefined) return { ...engine, ...fromFile(text, file), source: file, strict: false };
  return { ...engine, range: undefined, source: 'nothing asks for one: the default', strict: false };
}

/** By the Gemfile, else the lock. */
function engineOf(
  line: RubyLine | undefined,
  { gemfile, lock }: RubyApp,
): Pick<RubyWish, 'engine' | 'jruby'> {
  if (line?.engine === undefined && line !== undefined && line.requirements.length > 0)
    return { engine: 'ruby' };
  if (line?.engine === undefined) {
    return lock?.jruby === undefined
      ? { engine: 'ruby' }
      : { engine: 'jruby', jruby: { version: lock.jruby } };
  }
  if (line.engine === 'ruby') return { engine: 'ruby' };
  if (line.engine !== 'jruby') {
    throw new BuildpackFailure(`${gemfile} asks for ${line.engine}`, {
      next: 'MRI and JRuby are there: take the engine out of the Gemfile, or use another buildpack.',
    });
  }
  const version = line.engineVersion ?? lock?.jruby;
  return { engine: 'jruby', ...(version !== undefined && { jruby: { version } }) };
}

function fromFile(text: string, file: string): Pick<RubyWish, 'range'> & Partial<RubyWish> {
  const [, jruby] = /^jruby-(\d+\.\d+\.\d+\.\d+)$/.exec(text) ?? [];
  if (jruby !== undefined) return { range: undefined, engine: 'jruby', jruby: { version: jruby } };
  const [, version] = /^(?:ruby[- ]?)?(\d+(?:\.\d+){0,2})(?:-?p\d+)?$/.exec(text) ?? [];
  if (version !== undefined) return { range: fromRequirements([version], file) };
  throw new BuildpackFailure(`${file} says "${text}"`, {
    next: 'It has to be a version such as 3.1.2 or jruby-9.4.15.0, without anything else.',
  });
}

/** An exact patch that there is not gives its line where Bundler does not mind. */
export function chooseRuby(
  context: Pick<StepContext, 'manifest' | 'env' | 'log' | 'choose'>,
  { range, source, strict }: RubyWish,
  fit: Fit = { stack: context.env['CF_STACK'] ?? '', arch: process.arch, with: machineFacts() },
): Dependency {
  const { manifest, log } = context;
  const listed = versionsOf(manifest, 'ruby', fit);
  let wanted = range;
  const [, line] = /^(\d+\.\d+)\.\d+$/.exec(range ?? '') ?? [];
  if (range !== undefined && line !== undefined && highestMatch(range, listed) === undefined) {
    const near = highestMatch(`${line}.x`, listed);
    if (near !== undefined && strict) {
      throw new BuildpackFailure(`no Ruby ${range} (${source}). Available: ${listed.join(', ')}`, {
        next: `Bundler insists on what the Gemfile says: write ruby "~> ${line}.0" there.`,
      });
    }
    if (near !== undefined) {
      log.warning(`Ruby ${range} (${source}) is not available; the newest ${line} is taken.`);
      wanted = `${line}.x`;
    }
  }
  const level =
    wanted !== undefined && highestMatch(wanted, listed) === undefined ? jrubyLines(wanted)[0] : undefined;
  if (range !== undefined && level !== undefined) {
    const libc = ruledOutByLibc(manifest, 'ruby', range, fit);
    throw new BuildpackFailure(`no Ruby ${range} (${source}). Available: ${listed.join(', ')}`, {
      next: `${libc === undefined ? '' : `${libc} `}JRuby ${level} is that Ruby: write engine: "jruby" behind the version in the Gemfile, if the gems have no C code.`,
    });
  }
  const found = context.choose('ruby', wanted);
  log.info(`Ruby ${found.version} (${source})`);
  return found;
}
