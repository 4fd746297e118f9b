import { isJsonObject, type JsonObject, parseStrictJson } from '@countersign/common';
import { createSeal } from './seal.js';

/** Values that others keep for the authority, and can neither read nor make: codes, refresh tokens, the state of forms. */
export interface SealedJson {
  seal(value: JsonObject): string;
  /** Undefined: it was not sealed for this purpose, or has expired. */
  open(sealed: unknown): JsonObject | undefined;
}

const longest = 65_536;

/** A value has `exp`, unix seconds, and counts until then, for one purpose of one issuer: two may share a secret. */
export function createSealedJson(
  { secret, issuerName }: { readonly secret: string; readonly issuerName: string },
  purpose: string,
  now: () => number,
): SealedJson {
  const seal = createSeal(secret, `${purpose} of ${issuerName}`);
  return {
    seal: (value) => seal.seal(JSON.stringify(value)),
    open(sealed) {
      if (typeof sealed !== 'string' || sealed.length > longest) return undefined;
      let text: string;
      try {
        text = seal.open(sealed);
      } catch {
        return undefined;
      }
      const read = parseStrictJson(Buffer.from(text));
      if (!read.ok || !isJsonObject(read.value)) return undefined;
      return typeof read.value['exp'] === 'number' && read.value['exp'] > now() ? read.value : undefined;
    },
  };
}
