const dotSegment = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\;]|%2f|%5c|%3b|$)/i;

/**
 * Whether a path has a segment `.` or `..` for any of its readers. Static folders and gateways decode `%2f`, `%5c` and
 * `%2e` before they resolve dot segments (RFC 3986 §5.2.4), and Java servers drop a parameter first (`..;x`, §3.3).
 */
export function hasDotSegment(path: string): boolean {
  return dotSegment.test(path);
}
