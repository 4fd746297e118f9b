import type { AgentRegistry, Guard, RefusalCode } from '@countersign/core';
import type { Held } from '../caller.js';
import type { Message } from '../clients/exchange.js';
import type { Forge } from './forge.js';

/** What an attempt may use besides the forge. */
export interface Scene {
  readonly guard: Guard;
  readonly registry: AgentRegistry;
  /** Registers another agent, with the same rights as the caller. */
  readonly accomplice: () => Held;
}

/** What the request is like. */
export interface RequestKind {
  readonly hasBody: boolean;
  readonly hasToken: boolean;
  readonly linked: boolean;
  /** Without a signature, the guard still takes it for an agent's. */
  readonly marked: boolean;
  /** Without a signature, the guard takes it for a bearer token, and looks for what the token is bound to. */
  readonly bearer: boolean;
  /** The guard accepts a link behind a token. */
  readonly mayLink: boolean;
}

/** One attack, before it is for an application. */
export interface Attempt {
  readonly name: string;
  readonly code: RefusalCode;
  /** The code where `bearer` holds, if it is another. */
  readonly bearerCode?: RefusalCode;
  /** For which requests it makes sense. Default: all. */
  readonly needs?: (kind: RequestKind) => boolean;
  readonly make: (forge: Forge, send: (message: Message) => Promise<unknown>, scene: Scene) => Promise<Message>;
}
