import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { failed, isJsonObject, member, type Reading } from '@countersign/common';
import { decodeBase64url } from '../token/jws-gate.js';

/** The statuses of many tokens, packed (Token Status List, draft-ietf-oauth-status-list, §4). */
export interface StatusList {
  readonly bits: number;
  readonly bytes: Uint8Array;
}

/** 64 million tokens of one bit each. Kept low because a few kilobytes can inflate to gigabytes. */
export const maxInflatedBytes: number = 8 * 1024 ** 2;

const inflated = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflate);

/** Reads a `status_list` claim, with its bytes inflated within bounds. Never rejects. */
export async function readStatusList(claim: unknown): Promise<Reading<StatusList>> {
  if (!isJsonObject(claim)) return failed('its status_list is not an object');
  const bits = member(claim, 'bits');
  const lst = member(claim, 'lst');
  if (bits !== 1 && bits !== 2 && bits !== 4 && bits !== 8) return failed('its bits are none of 1, 2, 4 and 8');
  const packed = typeof lst === 'string' ? decodeBase64url(lst) : undefined;
  if (packed === undefined) return failed('its lst is not base64url');
  try {
    return { ok: true, value: { bits, bytes: await inflated(packed, { maxOutputLength: maxInflatedBytes }) } };
  } catch {
    return failed(`its lst is no zlib data, or inflates to more than ${maxInflatedBytes} bytes`);
  }
}

/** The status at an index; undefined beyond the end. Statuses begin at the least significant bit of each byte. */
export function statusAt({ bits, bytes }: StatusList, index: number): number | undefined {
  const bit = index * bits;
  const byte = bytes[Math.floor(bit / 8)];
  return byte === undefined ? undefined : (byte >> (bit % 8)) & (2 ** bits - 1);
}
