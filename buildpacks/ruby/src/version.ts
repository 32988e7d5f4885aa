/** Which Ruby: the Gemfile, else its lock, else .ruby-version. */
import {
  BuildpackFailure,
  type Dependency,
  highestMatch,
  readText,
  type StepContext,
  versionsOf,
} from '../../kit/index.ts';
import { type RubyApp, rubyLine } from './lock.ts';

interface Wish {
  readonly range: string | undefined;
  readonly source: string;
  /** Bundler checks it as well, so that a near one does not do. */
  readonly strict: boolean;
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
export async function rubyWish(dir: string, app: RubyApp): Promise<Wish> {
  const line = rubyLine(app.text);
  if (line?.engine !== undefined && line.engine !== 'ruby') {
    throw new BuildpackFailure(`the Gemfile asks for ${line.engine}`, {
      next: 'Only MRI is there: take the engine out of the Gemfile, or use another buildpack.',
    });
  }
  if (line !== undefined && line.requirements.length > 0) {
    return { range: fromRequirements(line.requirements, app.gemfile), source: app.gemfile, strict: true };
  }
  const file = line?.file ?? '.ruby-version';
  const text = (await readText(dir, file))
    ?.split('\n')
    .map((one) => one.replace(/#.*/, '').trim())
    .find(Boolean);
  if (line?.file !== undefined && text === undefined) {
    throw new BuildpackFailure(`${app.gemfile} reads Ruby's version from ${file}, which says nothing`, {
      next: 'Write a version such as 3.1.2 into it.',
    });
  }
  if (line?.file !== undefined && text !== undefined) {
    return { range: fromFile(text, file), source: `${file}, by ${app.gemfile}`, strict: true };
  }
  if (app.lock?.ruby !== undefined) return { range: app.lock.ruby, source: app.lockFile, strict: false };
  if (text !== undefined) return { range: fromFile(text, file), source: file, strict: false };
  return { range: undefined, source: 'nothing asks for one: the default', strict: false };
}

function fromFile(text: string, file: string): string {
  const [, version] = /^(?:ruby[- ]?)?(\d+(?:\.\d+){0,2})(?:-?p\d+)?$/.exec(text) ?? [];
  if (version !== undefined) return fromRequirements([version], file);
  throw new BuildpackFailure(`${file} says "${text}"`, {
    next: 'It has to be a version of MRI such as 3.1.2, without anything else.',
  });
}

/** An exact patch that there is not gives its line where Bundler does not mind. */
export function chooseRuby(
  context: Pick<StepContext, 'manifest' | 'env' | 'log' | 'choose'>,
  { range, source, strict }: Wish,
): Dependency {
  const { manifest, env, log } = context;
  const listed = versionsOf(manifest, 'ruby', { stack: env['CF_STACK'] ?? '', arch: process.arch });
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
  const found = context.choose('ruby', wanted);
  log.info(`Ruby ${found.version} (${source})`);
  return found;
}
