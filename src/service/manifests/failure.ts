/** Errors that only show while a manifest is applied; the job reports them. */
export class ManifestFailure extends Error {
  override readonly name = 'ManifestFailure';
}
