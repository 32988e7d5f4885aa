/** What a pom.xml says about Java: read as text, since only Maven can tell what it means with all parents. */
import { BuildpackFailure, readText } from '../../kit/index.ts';

/** In the order in which the compiler's plugin heeds them. */
const PROPERTIES = [
  'maven.compiler.release',
  'maven.compiler.target',
  'java.version',
  'maven.compiler.source',
];
const ELEMENTS = ['release', 'target'];

/** The Java that the build is for, and the property that says so; undefined when a parent or nothing does. */
export async function javaOfPom(
  dir: string,
  pom: string,
): Promise<{ readonly java: number; readonly property: string } | undefined> {
  const text = (await readPom(dir, pom)).replaceAll(/<!--[\s\S]*?-->/g, '');
  const textIn = (name: string): string | undefined =>
    new RegExp(`<${name.replaceAll('.', '\\.')}>\\s*([^<]*?)\\s*</`).exec(text)?.[1];
  for (const name of [...PROPERTIES, ...ELEMENTS]) {
    let value = textIn(name);
    // A property may name another one.
    const [, other] = /^\$\{([\w.-]+)\}$/.exec(value ?? '') ?? [];
    if (other !== undefined) value = textIn(other);
    const [, java] = /^(?:1\.)?(\d+)$/.exec(value ?? '') ?? [];
    if (java !== undefined) return { java: Number(java), property: name };
  }
  return undefined;
}

/** @throws BuildpackFailure when it is not the pom of a project. */
export async function readPom(dir: string, pom: string): Promise<string> {
  const text = await readText(dir, pom);
  if (text === undefined) {
    throw new BuildpackFailure(`there is no ${pom}`, {
      next: 'BP_MAVEN_POM_FILE names it relative to the app.',
    });
  }
  if (!/<project[\s>]/.test(text) || !/<\/project>\s*$/.test(text)) {
    throw new BuildpackFailure(`${pom} is not a whole pom.xml: it has no <project>…</project>`, {
      next: 'Check that the file was not cut; mvn validate shows what is wrong with it.',
    });
  }
  return text;
}
