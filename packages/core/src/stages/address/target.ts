/** The path of a request target as it was sent: undecoded, without scheme, authority and query; `/` if empty. */
export function pathOf(target: string): string {
  return target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').split(/[?#]/, 1)[0] || '/';
}
