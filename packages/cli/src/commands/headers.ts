import { CliError, exitCodes } from '../cli-error.js';
import { printable } from '../text.js';

/** @throws CliError if a line is not a header field. */
export function readHeaders(lines: readonly string[]): Headers {
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(':');
    try {
      headers.append(line.slice(0, Math.max(colon, 0)), line.slice(colon + 1));
    } catch {
      throw new CliError(`--header: '${printable(line)}' is not of the form 'Name: value'`, exitCodes.usage);
    }
  }
  return headers;
}
