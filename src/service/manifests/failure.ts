/** What only shows while a manifest is applied; the job tells it. */
export class ManifestFailure extends Error {
  override readonly name = 'ManifestFailure';
}
