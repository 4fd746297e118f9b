/** The path of a request target as it was sent: undecoded, without scheme, authority and query; `/` if empty. */
export function pathOf(target: string): string {
  return target.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/, 1)[0] || '/';
}
