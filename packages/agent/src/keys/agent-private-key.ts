import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { isIdentifier, parseScope } from '@countersign/delegation';
import { jwkThumbprint, type SigningKey } from '@countersign/signature';
import { availableEd25519 } from './ed25519.js';
import type { Ed25519, Ed25519Signer } from './ed25519-signer.js';
import { KeyError } from './key-error.js';
import { pemFromSeed } from './pkcs8.js';
import { type AgentKeyInput, type Ed25519PrivateJwk, privateKeyParts } from './private-key-parts.js';

/** The public half as a JWK (RFC 8037 §2). */
export interface Ed25519PublicJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
}

/** What is written in the API's `agents.json` so that it knows this agent. */
export interface AgentRegistration {
  readonly agent_id: string;
  /** Base64 of the 32 bytes of the public key. */
  readonly public_key: string;
  /** The scopes the agent may ever use. */
  readonly capabilities: readonly string[];
}

/**
 * An agent's private key. It signs; it shows its private part only when asked by name (`exportJwk`, `exportPem`,
 * `exportSecretKey`), never when logged, inspected or serialised.
 */
export interface AgentPrivateKey extends SigningKey {
  readonly algorithm: 'ed25519';
  /** The thumbprint: the `keyid` of signatures by this key. */
  readonly keyId: string;
  /** RFC 7638 JWK thumbprint, SHA-256, base64url. */
  readonly thumbprint: string;
  /** Base64 of the 32 bytes of the public key. */
  readonly publicKey: string;
  readonly publicJwk: Ed25519PublicJwk;
  /** Signs bytes: 64 bytes of Ed25519 (RFC 8032), the same from every implementation. */
  sign(data: Uint8Array): Uint8Array;
  /** The entry for `agents.json`. Throws `TypeError` if the id is empty or a capability is not a scope. */
  registration(id: string, capabilities: readonly string[]): AgentRegistration;
  /** The private key as a JWK, with its thumbprint as `kid`. Secret. */
  exportJwk(): Ed25519PrivateJwk;
  /** The private key as a PKCS #8 PEM. Secret. */
  exportPem(): string;
  /** The private key as the 64 bytes that TweetNaCl calls secretKey. Secret. */
  exportSecretKey(): Uint8Array;
}

/**
 * Makes a new key from the system's randomness.
 *
 * @example
 * const key = generateAgentKey();
 * console.log(key.registration('agent-code-reviewer-01', ['repo:read', 'pr:write:draft']));
 */
export function generateAgentKey(): AgentPrivateKey {
  return agentKeyFromSeed(randomBytes(32), availableEd25519());
}

/**
 * Reads a private key: a JWK (object or JSON text), a PKCS #8 PEM, or what `nacl.sign.keyPair()` made, that is its
 * 64-byte `secretKey` or the 32-byte seed, as bytes or base64. Throws `KeyError`, a `TypeError`, if it is none of these.
 *
 * @example
 * const key = loadAgentKey(await readFile('agent.key', 'utf8'));
 */
export function loadAgentKey(input: AgentKeyInput): AgentPrivateKey {
  return agentKeyFrom(input, availableEd25519());
}

/** `loadAgentKey` on a chosen implementation. */
export function agentKeyFrom(input: unknown, ed25519: Ed25519): AgentPrivateKey {
  const { seed, publicKey } = privateKeyParts(input);
  const key = agentKeyFromSeed(seed, ed25519);
  // Signing one seed under two public keys gives the private key away: a pair that does not match is never used.
  if (publicKey !== undefined && Buffer.from(publicKey).toString('base64') !== key.publicKey) {
    throw new KeyError(
      'The public part does not belong to the private part. The key is damaged or from another scheme.',
    );
  }
  return key;
}

function agentKeyFromSeed(seed: Uint8Array, ed25519: Ed25519): AgentPrivateKey {
  return Object.freeze(new Ed25519AgentKey(seed, ed25519.signer(seed)));
}

class Ed25519AgentKey implements AgentPrivateKey {
  readonly algorithm = 'ed25519';
  readonly thumbprint: string;
  readonly publicKey: string;
  readonly publicJwk: Ed25519PublicJwk;
  readonly #seed: Uint8Array;
  readonly #signer: Ed25519Signer;

  constructor(seed: Uint8Array, signer: Ed25519Signer) {
    this.#seed = seed;
    this.#signer = signer;
    const publicKey = Buffer.from(signer.publicKey);
    this.publicKey = publicKey.toString('base64');
    this.publicJwk = Object.freeze({ kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') });
    this.thumbprint = jwkThumbprint(this.publicJwk);
  }

  get keyId(): string {
    return this.thumbprint;
  }

  sign(data: Uint8Array): Uint8Array {
    return this.#signer.sign(data);
  }

  registration(id: string, capabilities: readonly string[]): AgentRegistration {
    if (!isIdentifier(id)) {
      throw new TypeError(
        'registration: the id must be visible text of 1 to 256 characters in NFC, without space at its ends.',
      );
    }
    if (capabilities.length > 0) {
      const scope = parseScope(capabilities.join(' '));
      if (!scope.ok) throw new TypeError(`registration: ${scope.detail}`);
    }
    return { agent_id: id, public_key: this.publicKey, capabilities: [...capabilities] };
  }

  exportJwk(): Ed25519PrivateJwk {
    return { ...this.publicJwk, d: Buffer.from(this.#seed).toString('base64url'), kid: this.thumbprint };
  }

  exportPem(): string {
    return pemFromSeed(this.#seed);
  }

  exportSecretKey(): Uint8Array {
    return new Uint8Array([...this.#seed, ...this.#signer.publicKey]);
  }

  toJSON(): object {
    return { thumbprint: this.thumbprint, publicKey: this.publicKey };
  }

  [inspect.custom](): string {
    return `AgentPrivateKey { thumbprint: '${this.thumbprint}' }`;
  }
}
