import type { RawRequest } from '../support/signed-request.js';

/** The identity that the handler must see. */
export interface Identity {
  readonly actor: string;
  readonly keyId: string;
  readonly subject: string;
  readonly chain: readonly string[];
  readonly scope: readonly string[];
}

/** A request as signed by its sender, before any change in transit. */
export interface Original {
  readonly kind: string;
  readonly proof: 'signature' | 'dpop' | 'web-bot-auth';
  readonly request: RawRequest;
  /** Names of the components that the proof binds: `@method`, `content-type`. */
  readonly bound: readonly string[];
  /** Whether the body travels in chunks. */
  readonly chunked: boolean;
  /** The change that its sender made before it signed. */
  readonly altered: string | undefined;
  /** Null: no guard may accept it. */
  readonly identity: Identity | null;
}

/** Names of the components in a list like `"@method"`, `"x";key="y"`. */
export function boundNames(covered: readonly string[]): readonly string[] {
  return covered.map((component) => /^"([^"]*)"/.exec(component)?.[1] ?? component);
}
