import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Caller, ConfigError } from '@countersign/core';
import { callerKey } from './task-owners.js';

/** Binds values that the server hands out, such as session ids, to the caller who got them. */
export interface Seal {
  /** The value for the client: letters, digits, `-`, `_` and `.`. `purpose` keeps the seals of different values apart. */
  seal(value: string, purpose: string, caller: Caller): string;
  /** The server's value; undefined if it was not sealed for this caller and purpose. */
  unseal(sealed: string, purpose: string, caller: Caller): string | undefined;
}

/** `key`: a secret that several processes share. Default: a random one, good for this process alone. */
export function createSeal(key: Uint8Array = randomBytes(32)): Seal {
  function mark(value: string, purpose: string, caller: Caller): string {
    const bound = JSON.stringify([purpose, value, callerKey(caller)]);
    return createHmac('sha256', key).update(bound).digest('base64url');
  }
  return {
    seal: (value, purpose, caller) => `${Buffer.from(value).toString('base64url')}.${mark(value, purpose, caller)}`,
    unseal(sealed, purpose, caller) {
      const [encoded = '', proof = '', ...rest] = sealed.split('.');
      const value = Buffer.from(encoded, 'base64url').toString();
      const expected = Buffer.from(mark(value, purpose, caller));
      const given = Buffer.from(proof);
      if (rest.length > 0 || Buffer.from(value).toString('base64url') !== encoded) return undefined;
      return given.length === expected.length && timingSafeEqual(given, expected) ? value : undefined;
    },
  };
}

/** @throws ConfigError when the key is too short. */
export function readSealKey(owner: string, key: Uint8Array | undefined): Uint8Array | undefined {
  if (key !== undefined && !(key instanceof Uint8Array && key.length >= 32)) {
    throw new ConfigError(`${owner}: 'sealKey' must be at least 32 random bytes.`);
  }
  return key;
}
