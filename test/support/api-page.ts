import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig, type ExtractorMessage } from '@microsoft/api-extractor';

const CONFIG = fileURLToPath(new URL('../../scripts/api-extractor.json', import.meta.url));
const ROLLUP = fileURLToPath(new URL('../../.cache/api/stager.d.ts', import.meta.url));

/** Order of the page: what is called, then what it takes and gives. */
const KINDS = [
  ['Functions', /^export declare function (\w+)/m],
  ['Values and classes', /^export declare (?:const|class) (\w+)/m],
  ['Types', /^export declare (?:interface|type) (\w+)/m],
] as const;

/**
 * docs/api/README.md: every declaration that the library exports, with its doc comment, from dist/index.d.ts.
 *
 * @throws Error naming types that appear in a signature and are not exported.
 */
export function apiPage(): string {
  const problems: string[] = [];
  Extractor.invoke(ExtractorConfig.loadFileAndPrepare(CONFIG), {
    localBuild: true,
    messageCallback: (message: ExtractorMessage) => {
      if (message.logLevel === 'error') problems.push(message.text);
      message.handled = true;
    },
  });
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const parts = declarations(readFileSync(ROLLUP, 'utf8'));
  const sections = KINDS.map(([title, pattern]) => {
    const own = parts.flatMap((text) => {
      const [, name] = pattern.exec(text) ?? [];
      return name === undefined ? [] : [{ name, text }];
    });
    const entries = own.map(({ name, text }) => `### ${name}\n\n\`\`\`ts\n${text}\n\`\`\``);
    return `## ${title}\n\n${entries.join('\n\n')}`;
  });
  const head =
    '# API of the library\n\nMade from the doc comments by `node scripts/docs.ts`; a test holds it to the code. ' +
    'How it is used: [library.md](../library.md).';
  return `${[head, ...sections].join('\n\n')}\n`;
}

/** Top-level declarations with the comment before each. */
function declarations(rollup: string): readonly string[] {
  return (
    rollup
      .split(/\n\n(?=\/\*\*|export )/)
      // The first comment of a file is about the file.
      .map((text) => text.trim().replace(/^\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*(?=\/\*\*)/, ''))
      .filter((text) => /^export /m.test(text))
  );
}
