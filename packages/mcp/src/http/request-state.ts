import { memberOf } from '../decide/json-rpc.js';

/**
 * The body with the server's own state instead of the sealed one. It is replaced in the text, because writing the message
 * anew would change large numbers. Undefined if the text is ambiguous.
 */
export function replaceState(body: Uint8Array, sealed: string, state: string): Uint8Array | undefined {
  const [before, after, ...more] = Buffer.from(body).toString().split(JSON.stringify(sealed));
  if (before === undefined || after === undefined || more.length > 0) return undefined;
  const opened = `${before}${JSON.stringify(state)}${after}`;
  // The text may stand in an argument, and be spelled with escapes where it belongs.
  return memberOf(memberOf(JSON.parse(opened), 'params'), 'requestState') === state ? Buffer.from(opened) : undefined;
}
