import { randomBytes } from 'node:crypto';
import type { AgentPrivateKey } from '@countersign/agent';
import {
  bodyFields,
  credentialFields,
  mcpFields,
  methodOverrideFields,
  profileTag,
  targetComponents,
} from '@countersign/common';
import type { MintDelegationOptions } from '@countersign/delegation';
import { type SignatureParameters, type SigningKey, signMessage } from '@countersign/signature';
import type { Held, HeldToken, World } from '../caller.js';
import type { RequestToSign } from '../clients/sign-fields.js';
import type { Message } from '../clients/exchange.js';
import { secondsOf } from '../clock.js';

export type Fields = Readonly<Record<string, string>>;
/** Undefined removes a member. */
type Changes<T> = { readonly [Name in keyof T]?: T[Name] | undefined };

export interface SignatureChanges {
  readonly key?: SigningKey;
  readonly set?: Changes<Fields>;
  readonly uncovered?: readonly string[];
  readonly parameters?: Changes<SignatureParameters>;
}

const coverable: readonly string[] = [...bodyFields, ...credentialFields, ...mcpFields, ...methodOverrideFields];

/** Writes requests that a careful agent would never send. */
export class Forge {
  readonly world: World;
  readonly by: Held;
  readonly request: RequestToSign;

  constructor(world: World, by: Held, request: RequestToSign) {
    this.world = world;
    this.by = by;
    this.request = request;
  }

  get key(): AgentPrivateKey {
    return this.by.key;
  }

  get now(): number {
    return secondsOf(this.world.clock);
  }

  /** The request as the caller sends it. */
  async honest(): Promise<Message & { readonly headers: Fields }> {
    const { origin } = this.world;
    const { method, path, headers, body } = this.request;
    const signer = await this.by.signer;
    const url = origin + path;
    const signed = await signer.signRequest({ method, url, headers, ...(body !== undefined && { body }) });
    return { method, path, body, headers: { ...signed.headers, host: new URL(origin).host } };
  }

  /** The same, changed after it was signed. Undefined removes a field. */
  async altered(
    change: (message: Message & { readonly headers: Fields }) => Partial<Omit<Message, 'headers'>> & {
      readonly headers?: Changes<Fields>;
    },
  ): Promise<Message> {
    const message = await this.honest();
    const { headers = {}, ...rest } = change(message);
    return { ...message, ...rest, headers: definedOf({ ...message.headers, ...headers }) as Fields };
  }

  /** The same, signed with something wrong. */
  async signed({ key = this.key, set = {}, uncovered = [], parameters = {} }: SignatureChanges): Promise<Message> {
    const message = await this.honest();
    const bare = { ...message.headers, signature: undefined, 'signature-input': undefined };
    const headers = definedOf({ ...bare, ...set }) as Fields;
    const components = ['@method', ...targetComponents, ...coverable.filter((name) => headers[name] !== undefined)];
    const right: SignatureParameters = {
      created: this.now,
      expires: this.now + 60,
      nonce: randomBytes(16).toString('base64url'),
      keyid: key.keyId,
      tag: profileTag,
    };
    const { signature, signatureInput } = await signMessage(
      {
        method: message.method,
        scheme: new URL(this.world.origin).protocol === 'http:' ? 'http' : 'https',
        authority: headers['host'] ?? '',
        target: message.path,
        rawFields: Object.entries(headers).flat(),
      },
      {
        key,
        components: components.filter((name) => !uncovered.includes(name)),
        parameters: definedOf({ ...right, ...parameters }),
      },
    );
    return { ...message, headers: { ...headers, signature, 'signature-input': signatureInput } };
  }

  /** The same, with another token. */
  async withToken(token: string | Promise<string>, changes: SignatureChanges = {}): Promise<Message> {
    return await this.signed({ ...changes, set: { ...changes.set, authorization: `Bearer ${await token}` } });
  }

  /** A token like the caller's, with other claims. */
  async mint({ user, options }: HeldToken, change: Partial<MintDelegationOptions>): Promise<string> {
    const { id, key } = this.by;
    return await this.world.issuer.mint({ user, agent: id, keyId: key.keyId, options }, change);
  }
}

export function definedOf(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
