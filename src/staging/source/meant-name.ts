/** Recognises misspelt names of files that buildpacks look for, such as Procfile.txt. */
const LOOKED_FOR = [
  'Procfile',
  'Staticfile',
  'package.json',
  'requirements.txt',
  'pyproject.toml',
  'Pipfile',
  'go.mod',
];

/** The name that `name` was probably meant to be: with other case, or with an extension that an editor added. */
export function meantName(name: string): string | undefined {
  const guesses = [name, name.replace(/\.(txt|ya?ml)$/i, '')].map((guess) => guess.toLowerCase());
  return LOOKED_FOR.find((wanted) => wanted !== name && guesses.includes(wanted.toLowerCase()));
}
