/** What follows `#!` on the first line of `head`, as it stands there; undefined where it does not begin so. */
export function shebangLine(head: string): string | undefined {
  return head.startsWith('#!') ? head.slice(2).split('\n', 1)[0] : undefined;
}
